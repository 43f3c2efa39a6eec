//! What a picture may take, checked before a decoder takes it.

use crate::{Settings, Unmade};

pub(crate) fn check_pixels(width: u32, height: u32, settings: &Settings) -> Result<(), Unmade> {
    if u64::from(width) * u64::from(height) > settings.max_pixels {
        return Err(Unmade::TooLarge(format!("{width} x {height} pixels")));
    }
    Ok(())
}

pub(crate) fn check_memory(bytes: u64, settings: &Settings) -> Result<(), Unmade> {
    if bytes > settings.max_memory {
        return Err(Unmade::TooLarge(format!("decoding takes {} MB", bytes.div_ceil(1_000_000))));
    }
    Ok(())
}
