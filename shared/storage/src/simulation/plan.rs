//! [`Plan`]: the parameters of a simulation.

use std::path::PathBuf;

use crate::ablation::Ablation;

/// The kind of local copies in a simulation.
#[derive(Debug, Clone)]
pub enum Copies {
    /// A model in memory, for thousands of schedules a second.
    Model,
    /// SQLite files below this folder, which should be in memory.
    Sqlite(PathBuf),
}

/// The parameters of a simulation.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The kind of local copies.
    pub copies: Copies,
    /// Minimum number of processes of a schedule. The maximum is 6. Cold readers are additional processes.
    pub processes_min: usize,
    /// A rule of the protocol that is switched off.
    #[doc(hidden)]
    pub ablation: Option<Ablation>,
}

impl Plan {
    /// Returns a plan with at least 3 processes and with all rules.
    #[must_use]
    pub fn new(copies: Copies) -> Self {
        Self {
            copies,
            processes_min: 3,
            ablation: None,
        }
    }

    pub(super) fn is_model(&self) -> bool {
        matches!(self.copies, Copies::Model)
    }

    pub(super) fn local_dir(&self) -> PathBuf {
        match &self.copies {
            Copies::Model => PathBuf::new(),
            Copies::Sqlite(folder) => folder.clone(),
        }
    }
}
