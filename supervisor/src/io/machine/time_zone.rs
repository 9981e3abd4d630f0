//! The time zone of this machine: TZ, or else /etc/localtime. A change of the file is noticed within some minutes; nothing is written.

use crate::settings::Zone;
use jiff::tz::TimeZone;

/// As it is now; why it cannot be known.
pub(crate) fn local() -> Result<Zone, String> {
    TimeZone::try_system().map(Zone::new).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_zone_of_this_machine_can_be_read() {
        let text = local().unwrap_or_else(|_| Zone::utc()).text(0);
        assert!(text.starts_with("1970-01-01") || text.starts_with("1969-12-31"), "{text}");
    }
}
