//! Width and height of a GIF, from its screen (section 18 of the specification of 1989) or its first frame (20).

/// The sides of the screen, or of the first frame where the screen has none, as browsers show it.
pub(super) fn size(bytes: &[u8]) -> Option<(u32, u32)> {
    let sides = |at: &[u8]| {
        let [w1, w2, h1, h2, ..] = *at else { return None };
        Some((u16::from_le_bytes([w1, w2]).into(), u16::from_le_bytes([h1, h2]).into()))
    };
    let screen = sides(bytes.get(6..)?)?;
    if screen.0 > 0 && screen.1 > 0 {
        return Some(screen);
    }
    let flags = *bytes.get(10)?;
    let colours = if flags & 0x80 == 0 { 0 } else { 3 << ((flags & 7) + 1) };
    let mut rest = bytes.get(13 + colours..)?;
    // Extensions: a label, and blocks up to an empty one.
    while let [0x21, _, blocks @ ..] = rest {
        rest = blocks;
        while let [length @ 1..=u8::MAX, after @ ..] = rest {
            rest = after.get(usize::from(*length)..)?;
        }
        rest = rest.get(1..)?;
    }
    match rest {
        [0x2c, _, _, _, _, frame @ ..] => sides(frame),
        _ => None,
    }
}
