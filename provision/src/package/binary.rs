//! What a function's binary runs on, read from the binary itself.

use anyhow::{Context, bail, ensure};
use elf::abi::{EM_AARCH64, EM_X86_64, PT_INTERP};

use crate::settings::Architecture;

/// What the binary runs on, refused where Lambda would only say so at the first request.
pub(super) fn architecture(
    binary: &[u8],
    wanted: Architecture,
    emulated: bool,
) -> anyhow::Result<Architecture> {
    let is_elf = binary.starts_with(b"\x7fELF");
    if !is_elf && emulated {
        // An emulator on macOS runs the host's own binaries.
        let host = if cfg!(target_arch = "aarch64") { Architecture::Arm64 } else { Architecture::X86 };
        return Ok(if wanted == Architecture::Auto { host } else { wanted });
    }
    ensure!(
        is_elf,
        "is no Linux binary (ELF); build it for Linux: make build TARGET=x86_64-unknown-linux-musl"
    );
    let file =
        elf::ElfBytes::<elf::endian::AnyEndian>::minimal_parse(binary).context("is a damaged ELF binary")?;
    let built_for = match file.ehdr.e_machine {
        EM_X86_64 => Architecture::X86,
        EM_AARCH64 => Architecture::Arm64,
        other => {
            bail!("is built for a machine (ELF {other}) that Lambda does not have; it has x86_64 and arm64")
        }
    };
    ensure!(
        wanted == Architecture::Auto || wanted == built_for,
        "is built for {built_for}, and `architecture` in cloudpix.toml is {wanted}; build it for that, or set the \
         architecture to \"auto\""
    );
    let interpreted =
        file.segments().is_some_and(|segments| segments.iter().any(|segment| segment.p_type == PT_INTERP));
    ensure!(
        !interpreted,
        "is linked to shared libraries, which its image does not have; `make build` links it statically"
    );
    if let Some((major, minor)) = glibc(binary, &file).filter(|version| !emulated && *version < RESOLVES) {
        let target = if built_for == Architecture::Arm64 { "aarch64" } else { "x86_64" };
        bail!(
            "is linked with glibc {major}.{minor}, which finds no host names without libraries that its image does \
             not have; build it with musl: make build TARGET={target}-unknown-linux-musl, or on a system with \
             glibc {}.{} or newer",
            RESOLVES.0,
            RESOLVES.1
        );
    }
    Ok(built_for)
}

/// The first glibc that has its resolver in itself. Older ones load `libnss_dns.so` for it, even where they
/// are linked statically.
/// <https://sourceware.org/glibc/wiki/Release/2.34>
const RESOLVES: (u32, u32) = (2, 34);

/// The version of the glibc that is linked in, as its banner says: "GNU C Library (…) stable release
/// version 2.36." `None` of another C library.
fn glibc(binary: &[u8], file: &elf::ElfBytes<'_, elf::endian::AnyEndian>) -> Option<(u32, u32)> {
    let constants = file.section_header_by_name(".rodata").ok().flatten();
    let constants = constants.and_then(|header| file.section_data(&header).ok());
    let text = constants.map_or(binary, |(bytes, _)| bytes);
    let banner = &text[memchr::memmem::find(text, b"GNU C Library (")?..];
    let banner = banner.split(|byte| *byte == b'\n').next()?;
    let banner = String::from_utf8_lossy(banner.get(..200).unwrap_or(banner));
    let (_, version) = banner.split_once("release version ")?;
    let mut numbers = version.split('.').map(|part| {
        let digits: String = part.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().ok()
    });
    Some((numbers.next()??, numbers.next()??))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// The least that is an ELF file: a header, and one program header of the type given.
    pub(crate) fn elf(machine: u16, segment: u32) -> Vec<u8> {
        let mut file = b"\x7fELF\x02\x01\x01".to_vec();
        file.resize(16, 0);
        file.extend([2, 0]);
        file.extend(machine.to_le_bytes());
        file.extend(1u32.to_le_bytes());
        file.extend(0u64.to_le_bytes());
        file.extend(64u64.to_le_bytes());
        file.extend(0u64.to_le_bytes());
        file.extend(0u32.to_le_bytes());
        for half in [64u16, 56, 1, 64, 0, 0] {
            file.extend(half.to_le_bytes());
        }
        file.extend(segment.to_le_bytes());
        file.resize(64 + 56, 0);
        file
    }

    #[test]
    fn what_lambda_could_not_run_is_refused() {
        let check = |binary: &[u8], wanted, part: &str| {
            let error = format!("{:#}", architecture(binary, wanted, false).unwrap_err());
            assert!(error.contains(part), "{part:?} is not in {error}");
        };
        check(b"\xcf\xfa\xed\xfe", Architecture::Auto, "no Linux binary");
        check(b"\x7fELF", Architecture::Auto, "damaged");
        check(&elf(EM_X86_64, PT_INTERP), Architecture::Auto, "statically");
        check(&elf(EM_X86_64, 1), Architecture::Arm64, "built for x86_64");
        check(&elf(8, 1), Architecture::Auto, "ELF 8");
        let with = |banner: &str| [elf(EM_AARCH64, 1), banner.as_bytes().to_vec()].concat();
        let old =
            with("\0GNU C Library (Ubuntu GLIBC 2.31-0ubuntu9.9) stable release version 2.31.\nCopyright");
        check(&old, Architecture::Auto, "glibc 2.31");
        check(&old, Architecture::Auto, "make build TARGET=aarch64-unknown-linux-musl");
        assert_eq!(architecture(&old, Architecture::Auto, true).unwrap(), Architecture::Arm64);
        for fine in [
            "\0GNU C Library (GNU libc) stable release version 2.34.\n",
            "\0GNU C Library (Debian GLIBC 2.36-9+deb12u14) stable release version 2.36.\n",
            "\0GNU C Library (GNU libc) development release version 3.0.9000.\n",
            "\0GNU C Library (",
            "musl libc (x86_64)",
        ] {
            architecture(&with(fine), Architecture::Auto, false).unwrap();
        }
        assert_eq!(architecture(&elf(EM_X86_64, 1), Architecture::Auto, false).unwrap(), Architecture::X86);
    }
}
