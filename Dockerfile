# One function's image: the static binary as /bootstrap, and nothing else. `provision` packs the same
# layout by itself and needs no Docker; this is for those who build images with it.
#
#   docker build --build-arg FUNCTION=upload -t cloudpix-upload .
#   docker build --build-arg FUNCTION=list --platform linux/arm64 -t cloudpix-list .
#
# From a binary that `make build` made, with no base image to pull and nothing to compile:
#
#   docker build --target prebuilt --build-arg FUNCTION=list -t cloudpix-list .
#
# Lambda takes one image manifest, no index with attestations: push with `--provenance=false`. The image is
# as `provision` packs it, but for the time of its file and a PATH that Docker adds.

# A function's crate: a folder of lambdas/ that has a src/main.rs.
ARG FUNCTION=upload
# Where `make build` puts binaries, for the prebuilt image.
ARG RELEASE=target/x86_64-unknown-linux-gnu/release

# Compiles on the builder's own architecture for the one asked for with --platform.
FROM --platform=$BUILDPLATFORM rust:1-slim AS build
ARG FUNCTION
ARG TARGETARCH
WORKDIR /src
RUN set -e; \
    case "$TARGETARCH" in \
        amd64) target=x86_64-unknown-linux-gnu; cross="gcc-x86-64-linux-gnu libc6-dev-amd64-cross" ;; \
        arm64) target=aarch64-unknown-linux-gnu; cross="gcc-aarch64-linux-gnu libc6-dev-arm64-cross" ;; \
        *) echo "Lambda runs amd64 and arm64, not $TARGETARCH" >&2; exit 1 ;; \
    esac; \
    if rustc -vV | grep -qx "host: $target"; then cross=; else rustup target add "$target"; fi; \
    apt-get update; \
    apt-get install --yes --no-install-recommends cmake make $cross; \
    rm -rf /var/lib/apt/lists/*; \
    echo "$target" > /target
COPY Cargo.toml Cargo.lock ./
COPY lambdas lambdas
COPY provision provision
COPY tests tests
COPY bench bench
ENV CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUSTFLAGS="-C target-feature=+crt-static -C link-arg=-Wl,-z,pack-relative-relocs" \
    CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_LINKER=x86_64-linux-gnu-gcc \
    CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUSTFLAGS="-C target-feature=+crt-static -C link-arg=-Wl,-z,pack-relative-relocs" \
    CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc
# The cache mounts outlive the build, so that only what changed is compiled the next time.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked --target "$(cat /target)" -p "$FUNCTION" \
    && cp "target/$(cat /target)/release/$FUNCTION" /bootstrap

FROM scratch AS base
ARG FUNCTION
LABEL org.opencontainers.image.title="cloudpix-$FUNCTION" \
      org.opencontainers.image.description="The $FUNCTION function of CloudPix, for AWS Lambda" \
      org.opencontainers.image.licenses="Apache-2.0"
USER 65532:65532
ENTRYPOINT ["/bootstrap"]

FROM base AS prebuilt
ARG FUNCTION
ARG RELEASE
COPY --chmod=0755 --chown=0:0 $RELEASE/$FUNCTION /bootstrap

FROM base
COPY --chmod=0755 --chown=0:0 --from=build /bootstrap /bootstrap
