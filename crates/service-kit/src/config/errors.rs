//! Reports about the configuration: problems, which stop the program, and notes, which are logged.

use std::fmt;

/// A problem with one variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigProblem {
    /// The variable, by the name under which it was set.
    pub variable: String,
    /// The rest of a sentence that begins with the variable: how to correct its value.
    pub message: String,
}

impl ConfigProblem {
    pub(super) fn new(variable: &str, message: impl Into<String>) -> Self {
        Self {
            variable: variable.to_owned(),
            message: message.into(),
        }
    }
}

impl fmt::Display for ConfigProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.variable, self.message)
    }
}

/// All problems with the configuration, one on each line.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub struct ConfigErrors(pub Vec<ConfigProblem>);

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(f, "{separator}{problem}")?;
        }
        Ok(())
    }
}

/// Remarks about the configuration. It is read before the log starts, so they are logged later.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConfigNotes(pub(super) Vec<String>);

impl ConfigNotes {
    /// Logs each note. Call it once the log has started.
    pub fn log(&self) {
        for note in &self.0 {
            tracing::info!("{note}");
        }
    }
}
