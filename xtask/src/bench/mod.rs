//! Stub.
pub(crate) fn main(_args: &[String]) -> crate::Result<std::process::ExitCode> {
    Ok(std::process::ExitCode::SUCCESS)
}
