//! [`Pages`]: the bytes of a local copy, in a file, or in memory in a simulation.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Bytes that are read and written by offset.
pub(crate) enum Pages {
    File(File),
    Memory(Mutex<Vec<u8>>),
}

fn locked(memory: &Mutex<Vec<u8>>) -> MutexGuard<'_, Vec<u8>> {
    memory.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Pages {
    pub(crate) fn len(&self) -> io::Result<u64> {
        match self {
            Self::File(file) => Ok(file.metadata()?.len()),
            Self::Memory(memory) => Ok(locked(memory).len() as u64),
        }
    }

    /// Truncates the content, or extends it with zeros.
    pub(crate) fn set_len(&self, bytes: u64) -> io::Result<()> {
        match self {
            Self::File(file) => file.set_len(bytes),
            Self::Memory(memory) => {
                locked(memory).resize(usize::try_from(bytes).map_err(io::Error::other)?, 0);
                Ok(())
            }
        }
    }

    pub(crate) fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        match self {
            Self::File(file) => file.write_all_at(bytes, offset),
            Self::Memory(memory) => {
                let from = usize::try_from(offset).map_err(io::Error::other)?;
                let mut memory = locked(memory);
                let end = from + bytes.len();
                if memory.len() < end {
                    memory.resize(end, 0);
                }
                memory[from..end].copy_from_slice(bytes);
                Ok(())
            }
        }
    }

    /// Fills `buffer` from `offset`, with zeros after the end.
    pub(crate) fn read_at_or_zeros(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let mut filled = 0;
        match self {
            Self::File(file) => {
                while filled < buffer.len() {
                    match file.read_at(&mut buffer[filled..], offset + filled as u64) {
                        Ok(0) => break,
                        Ok(read) => filled += read,
                        Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                        Err(error) => return Err(error),
                    }
                }
            }
            Self::Memory(memory) => {
                let memory = locked(memory);
                let from = usize::try_from(offset).unwrap_or(usize::MAX).min(memory.len());
                filled = buffer.len().min(memory.len() - from);
                buffer[..filled].copy_from_slice(&memory[from..from + filled]);
            }
        }
        buffer[filled..].fill(0);
        Ok(())
    }
}
