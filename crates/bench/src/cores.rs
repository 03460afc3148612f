//! Pins programs to cores, so that a measured program and its load don't share one. Linux only.

#[cfg(target_os = "linux")]
use rustix::thread::CpuSet;

use crate::Failure;

/// The core for the measured program and the core for its load. They are the same if this program may use only one.
#[cfg(target_os = "linux")]
pub(crate) fn pair() -> Result<[usize; 2], Failure> {
    let allowed = rustix::thread::sched_getaffinity(None)?;
    let mut cores = (0..CpuSet::MAX_CPU).filter(|core| allowed.is_set(*core));
    let first = cores.next().ok_or("no core to run on")?;
    Ok([first, cores.next().unwrap_or(first)])
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn pair() -> Result<[usize; 2], Failure> {
    Ok([0, 1])
}

/// Pins this thread and the processes that it starts to one core, until this is dropped.
#[derive(Debug)]
#[must_use]
pub(crate) struct PinnedToCore {
    #[cfg(target_os = "linux")]
    before: CpuSet,
}

#[cfg(target_os = "linux")]
impl PinnedToCore {
    pub(crate) fn new(core: usize) -> Result<Self, Failure> {
        let before = rustix::thread::sched_getaffinity(None)?;
        let mut only = CpuSet::new();
        only.set(core);
        rustix::thread::sched_setaffinity(None, &only)?;
        Ok(Self { before })
    }
}

#[cfg(target_os = "linux")]
impl Drop for PinnedToCore {
    fn drop(&mut self) {
        // Restoring the previous set can't fail.
        let _ = rustix::thread::sched_setaffinity(None, &self.before);
    }
}

#[cfg(not(target_os = "linux"))]
impl PinnedToCore {
    pub(crate) fn new(_: usize) -> Result<Self, Failure> {
        Ok(Self {})
    }
}
