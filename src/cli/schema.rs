//! `tripline schema`: what keys there are, for editors.

use clap::{Args, ValueEnum};

use super::Failure;
use crate::config::schema;

#[derive(Debug, Args)]
pub(super) struct SchemaArgs {
    /// Of which kind of file
    #[arg(value_enum)]
    of: Of,
}

/// A kind of file.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Of {
    /// Rule files
    Rules,
    /// Test files, whose names end in `.test.toml`
    Tests,
    /// tripline.toml
    Config,
}

pub(super) fn schema(args: &SchemaArgs) -> Result<u8, Failure> {
    let schema = match args.of {
        Of::Rules => schema::rules(),
        Of::Tests => schema::tests(),
        Of::Config => schema::config(),
    };
    super::answer(&format!("{schema:#}\n"))?;
    Ok(0)
}
