//! Whether a directory is on a network file system, where a journal is slow and not safe.

use std::path::Path;

/// The name of the network file system that a directory is on; `None` for a local disk, and where the system does not say.
#[cfg(target_os = "linux")]
pub(super) fn network_disk(path: &Path) -> Option<&'static str> {
    // The directory may not be there yet: then the nearest one above it.
    let there = path.ancestors().find(|path| path.exists()).unwrap_or_else(|| Path::new("."));
    let there = if there.as_os_str().is_empty() { Path::new(".") } else { there };
    let kind = rustix::fs::statfs(there).ok()?.f_type;
    name_of(u32::try_from(kind & 0xffff_ffff).unwrap_or(0))
}

/// Other systems do not say.
#[cfg(not(target_os = "linux"))]
pub(super) fn network_disk(_: &Path) -> Option<&'static str> {
    None
}

/// By the numbers of `statfs`.
fn name_of(kind: u32) -> Option<&'static str> {
    Some(match kind {
        0x0000_6969 => "NFS",
        0x0000_517b | 0xff53_4d42 | 0xfe53_4d42 => "SMB",
        0x0bd0_0bd0 => "Lustre",
        0x4750_4653 => "GPFS",
        0x1983_0326 => "BeeGFS",
        0x00c3_6400 => "Ceph",
        0x5346_414f => "AFS",
        0x6573_5546 => "FUSE",
        0xaad7_aaea => "PanFS",
        0x2003_0528 => "OrangeFS",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_local_disk_is_none_and_nfs_is_named() {
        assert_eq!(network_disk(&std::env::temp_dir().join("not/there/yet")), None);
        assert_eq!(name_of(0x6969), Some("NFS"));
        assert_eq!(name_of(0xef53), None, "ext4");
    }
}
