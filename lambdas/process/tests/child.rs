//! Children as they are, from outside and from inside. `examples/hostile.rs`, which is built with these
//! tests, is the child that a picture has taken over.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where and end")]

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use process::decoder::{Decoded, Decoder};
use process::sandbox::Bounds;
use thumbnail::{Facts, Output, Settings};
use tokio::time::Instant;

const COFFEE: &[u8] = include_bytes!("../../../tests/images/coffee.jpg");
/// The head of a JPEG with nothing but the orientation 6.
const TURNED: &[u8] =
    b"\xff\xd8\xff\xe1\0\x22Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
const BOUNDS: Bounds = Bounds { address_space: 300 << 20, cpu: 20 };
const LONG: Duration = Duration::from_mins(1);

fn settings() -> Settings {
    Settings {
        edges: vec![16, 64],
        format: Output::Webp,
        quality: 78,
        max_pixels: 1_000_000,
        max_memory: 100 << 20,
    }
}

fn hostile() -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    tests.parent().unwrap().parent().unwrap().join("examples/hostile")
}

async fn decode(decoder: &Decoder, bytes: &[u8], time: Duration) -> Decoded {
    decoder.decode(bytes.to_vec(), &settings(), Instant::now() + time).await.unwrap()
}

/// A photograph that lies on its side, and does to its decoder what a word says.
fn picture(word: &str) -> Vec<u8> {
    [TURNED, b"\0", word.as_bytes()].concat()
}

/// The children with an address space of so many bytes.
fn children(address_space: u64) -> Vec<PathBuf> {
    let processes = std::fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().path());
    let is_one = |path: &PathBuf| {
        let line = std::fs::read(path.join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains(&format!("--decode\0{address_space}\0"))
    };
    processes.filter(is_one).collect()
}

fn field(process: &Path, file: &str, name: &str) -> String {
    let text = std::fs::read_to_string(process.join(file)).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("no {name}"));
    line.split_whitespace().next().unwrap().to_owned()
}

#[tokio::test]
async fn a_picture_ends_its_decoder_and_nothing_else() {
    let decoder = Decoder::new(hostile(), BOUNDS);
    for (word, why) in [
        ("panic", "its decoder ended with code 101: "),
        ("abort", "its decoder died of signal 6"),
        ("overflow", "its decoder died of signal 6: "),
        ("allocate", "its decoder died of signal 6: memory allocation of 1048576 bytes failed"),
        ("exit", "its decoder gave no answer: read a length: "),
        ("garbage", "its decoder gave no answer: parse a frame: "),
        ("long frame", "its decoder gave no answer: a frame is too long"),
        ("half a frame", "its decoder gave no answer: read a frame: "),
        ("flood", "its decoder gave no answer: a frame is too long"),
    ] {
        let Decoded { facts, made } = decode(&decoder, &picture(word), LONG).await;
        let found = made.unwrap_err();
        assert!(found.starts_with(why) && !found.contains('\x1b'), "{word}: {found}");
        // They were there before it touched a pixel.
        assert_eq!(facts, Facts { orientation: Some(6), ..Facts::default() }, "{word}");
        let next = decode(&decoder, COFFEE, LONG).await;
        assert_eq!(next.made, Ok(thumbnail::make(COFFEE, &settings()).unwrap()), "after {word}");
    }
}

#[tokio::test]
async fn a_decoder_without_an_end_is_ended() {
    let address_space = BOUNDS.address_space + 1;
    let decoder = Decoder::new(hostile(), Bounds { address_space, cpu: 1 });
    let Decoded { facts, made } = decode(&decoder, &picture("loop"), LONG).await;
    assert_eq!(made.unwrap_err(), "its decoder took more than 1 s of CPU");
    assert_eq!(facts.orientation, Some(6));
    for word in ["loop", "complain"] {
        let began = Instant::now();
        let Decoded { facts, made } = decode(&decoder, &picture(word), Duration::from_millis(300)).await;
        let found = made.unwrap_err();
        assert!(found.starts_with("its decoder was not done after "), "{found}");
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
        assert_eq!(facts.orientation, Some(6));
    }
    assert!(children(address_space).is_empty());
    assert_eq!(decode(&decoder, COFFEE, LONG).await.made.unwrap().thumbnails.len(), 2);
}

#[tokio::test]
async fn a_child_has_nothing_of_its_parent() {
    // Not closed on exec, as what Lambda leaves open may be.
    let left_open = File::open("/proc/self/status").unwrap();
    fcntl(&left_open, FcntlArg::F_SETFD(FdFlag::empty())).unwrap();
    let address_space = BOUNDS.address_space + 2;
    let decoder = Decoder::new(env!("CARGO_BIN_EXE_process"), Bounds { address_space, cpu: 7 });
    decoder.warm().await.unwrap();
    let [child] = &children(address_space)[..] else { panic!("one child") };
    assert_eq!(std::fs::read(child.join("environ")).unwrap(), b"GLIBC_TUNABLES=glibc.malloc.hugetlb=1\0");
    let mut open: Vec<(String, String)> = std::fs::read_dir(child.join("fd"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            let target = std::fs::read_link(&path).unwrap().to_str().unwrap().to_owned();
            (path.file_name().unwrap().to_str().unwrap().to_owned(), target)
        })
        .collect();
    open.sort();
    assert_eq!(open.iter().map(|(number, _)| &number[..]).collect::<Vec<_>>(), ["0", "1", "2"]);
    assert!(open.iter().all(|(_, target)| target.starts_with("pipe:")), "{open:?}");
    assert_eq!(
        (field(child, "status", "NoNewPrivs:"), field(child, "status", "Seccomp:")),
        ("1".into(), "2".into())
    );
    let limits = [
        "Max address space",
        "Max cpu time",
        "Max core file size",
        "Max file size",
        "Max open files",
        "Max processes",
    ];
    let limits = limits.map(|name| field(child, "limits", name));
    assert_eq!(limits, [&address_space.to_string()[..], "7", "0", "0", "0", "0"]);
    assert_eq!(field(child, "oom_score_adj", ""), "1000");
    drop(left_open);
    drop(decoder);
    for _ in 0..100 {
        if children(address_space).is_empty() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("a child outlives its parent");
}

#[tokio::test]
async fn a_child_reaches_nothing() {
    let probed = async |decoder: Decoder| decode(&decoder, &picture("probe"), LONG).await.made.unwrap_err();
    let filtered = probed(Decoder::new(hostile(), BOUNDS)).await;
    // EPERM
    assert_eq!(
        filtered,
        "damaged image: variables 1, read 1, write 1, socket 1, program 1, thread 1, limit 1"
    );
    let folder = tempfile::tempdir().unwrap();
    let old = folder.path().join("on-an-old-kernel");
    std::os::unix::fs::symlink(hostile(), &old).unwrap();
    let decoder = Decoder::new(&old, BOUNDS);
    assert_eq!(decode(&decoder, COFFEE, LONG).await.made.unwrap().thumbnails.len(), 2);
    let limited = probed(decoder).await;
    // EMFILE
    assert!(limited.contains("variables 1, read 24, write 24, socket 24, "), "{limited}");
}

#[tokio::test]
async fn what_the_function_is_decodes_as_the_library_does() {
    let decoder = Decoder::new(env!("CARGO_BIN_EXE_process"), BOUNDS);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/images");
    let mut made = 0;
    for file in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        let bytes = std::fs::read(&file).unwrap();
        decoder.prepare().unwrap();
        let decoded = decode(&decoder, &bytes, LONG).await;
        assert_eq!(decoded.facts, thumbnail::facts(&bytes), "{}", file.display());
        let here = thumbnail::make(&bytes, &settings()).map_err(|cause| cause.to_string());
        made += usize::from(here.is_ok());
        assert_eq!(decoded.made, here, "{}", file.display());
    }
    assert!(made > 5, "{made}");
}

#[tokio::test]
async fn more_than_a_pipe_holds_goes_both_ways() {
    // Noise, which no encoder makes small.
    let mut state = 1_u32;
    let pixels = (0..3 * 1000 * 1000).map(|_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    });
    let header =
        [b"BM\xf6\xc6\x2d\0\0\0\0\0\x36\0\0\0\x28\0\0\0\xe8\x03\0\0\xe8\x03\0\0\x01\0\x18\0", &[0; 24][..]]
            .concat();
    let bytes: Vec<u8> = header.into_iter().chain(pixels).collect();
    let settings = Settings { edges: vec![500, 1000], format: Output::Jpeg, quality: 100, ..settings() };
    let decoder = Decoder::new(env!("CARGO_BIN_EXE_process"), BOUNDS);
    let made = decoder.decode(bytes, &settings, Instant::now() + LONG).await.unwrap().made.unwrap();
    let sizes: Vec<usize> = made.thumbnails.iter().map(|thumbnail| thumbnail.bytes.len()).collect();
    assert!(sizes.iter().sum::<usize>() > 1 << 20, "{sizes:?}");
}

#[tokio::test]
async fn a_program_that_is_no_decoder_is_no_fault_of_the_picture() {
    for program in ["/nowhere/process", "/bin/true", "/bin/echo"] {
        let decoder = Decoder::new(program, BOUNDS);
        let error = decoder.decode(COFFEE.to_vec(), &settings(), Instant::now() + LONG).await.unwrap_err();
        assert!(format!("{error:#}").contains(program), "{error:#}");
        assert!(decoder.warm().await.is_err());
    }
}
