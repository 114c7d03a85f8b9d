//! How the Defender for Endpoint API answers. Each option is a field here and a flag of the command.

use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::generate::vulnerability::object::Spelling;
use crate::options::NextLink;

/// How the Defender for Endpoint API answers.
#[derive(Args, Clone, Debug, PartialEq)]
#[command(next_help_heading = "Defender for Endpoint")]
pub struct DefenderOptions {
    /// Whether a page of machines, vulnerabilities or product rows links to the next one.
    #[arg(long, value_enum, default_value_t = NextLink::WithoutTop)]
    pub list_link: NextLink,
    /// The application lacks Machine.Read.All: machines are answered 403.
    #[arg(long)]
    pub missing_machine_role: bool,
    /// The application lacks Vulnerability.Read.All: all but machines is answered 403.
    #[arg(long)]
    pub missing_vulnerability_role: bool,
    /// Files of an export.
    #[arg(long, default_value_t = DefenderOptions::default().export_files, value_name = "N")]
    pub export_files: u64,
    /// So many files more hold nothing: the first has no byte, the next compresses no row, and so on by turns.
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub export_empty_files: u64,
    /// How rows are laid out in a file.
    #[arg(long, value_enum, default_value_t = ExportForm::Lines)]
    pub export_form: ExportForm,
    /// How members of exported rows are spelled.
    #[arg(long, value_enum, default_value_t = Spelling::Camel)]
    pub export_spelling: Spelling,
    /// A file has a gzip member for each so many rows; without it, one for all.
    #[arg(long, value_name = "ROWS")]
    pub export_member_rows: Option<u64>,
    /// The first so many downloads end early, within a row and without an error of the connection.
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub export_truncated: u64,
    /// The first so many downloads are refused as if their signatures had expired.
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub export_expired: u64,
    /// How long signatures are good, whatever sasValidHours asks for.
    #[arg(long, value_parser = humantime::parse_duration, value_name = "TIME")]
    pub sas_lifetime: Option<Duration>,
}

impl Default for DefenderOptions {
    fn default() -> Self {
        Self {
            list_link: NextLink::WithoutTop,
            missing_machine_role: false,
            missing_vulnerability_role: false,
            export_files: 3,
            export_empty_files: 0,
            export_form: ExportForm::Lines,
            export_spelling: Spelling::Camel,
            export_member_rows: None,
            export_truncated: 0,
            export_expired: 0,
            sas_lifetime: None,
        }
    }
}

impl DefenderOptions {
    /// Refuses what contradicts itself; says what and why.
    pub(crate) fn check(&self) -> Result<(), String> {
        if self.export_files > 10_000 || self.export_empty_files > 10_000 {
            return Err("export_files and export_empty_files must not be above 10000".to_owned());
        }
        if self.export_member_rows == Some(0) {
            return Err("export_member_rows must be at least 1".to_owned());
        }
        Ok(())
    }
}

/// How rows are laid out in a file of an export.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ExportForm {
    /// A line each.
    #[default]
    Lines,
    /// Each over many lines.
    Pretty,
    /// One array of all.
    Array,
}
