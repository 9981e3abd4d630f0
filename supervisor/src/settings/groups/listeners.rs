//! Options on which addresses are shared and how the supervisor listens on them.

use crate::settings::duration;
use crate::settings::{ConfigError, check_lengths, default_as_shown};
use clustermon_protocol::rules::{Rule, of_udp};
use std::time::Duration;

/// The least length of a listening queue, unless somebody chooses another.
pub(crate) const BACKLOG: u32 = 4096;

/// Which addresses are shared, and how they are listened on.
#[derive(Clone, Debug, PartialEq, Eq, clap::Args)]
#[command(next_help_heading = "Addresses")]
#[allow(
    rustdoc::broken_intra_doc_links,
    reason = "the text is the help of the command line, too: `[v6]` is no link"
)]
#[non_exhaustive]
pub struct Listeners {
    /// Share this address though it would be private: host:port, *:port, [v6]:port, /path or @abstract, for port also a range
    /// such as 40000-40100; udp:host:port, udp:port and so on for UDP sockets, which are private otherwise; repeatable
    #[arg(long, value_name = "ADDR")]
    pub share: Vec<String>,
    /// Leave this address, or range of ports, to each worker alone; repeatable
    #[arg(long, value_name = "ADDR")]
    pub private: Vec<String>,
    /// Least length of a listening queue; a program that asks for more gets more
    #[arg(long, value_name = "N", default_value_t = BACKLOG)]
    pub backlog: u32,
    /// From the failure of a listening socket to the next try to open it
    #[arg(long, value_name = "DURATION", allow_hyphen_values = true, value_parser = duration::parse, default_value = "1s")]
    pub server_restart_delay: Duration,
}

default_as_shown!(Listeners);

impl Listeners {
    pub(in crate::settings) fn check(&self) -> Result<(), ConfigError> {
        check_lengths([("server-restart-delay", Some(self.server_restart_delay))])?;
        if i32::try_from(self.backlog).is_err() {
            return Err(ConfigError::Backlog(self.backlog));
        }
        for (option, addresses) in [("share", &self.share), ("private", &self.private)] {
            for text in addresses {
                let (is_udp, rule) = match of_udp(text) {
                    Some(rest) => (true, Rule::of_datagrams(rest)),
                    None => (false, Rule::parse(text)),
                };
                match rule {
                    Some(_) => {}
                    None if is_udp => return Err(ConfigError::UdpAddress { option, text: text.clone() }),
                    None => return Err(ConfigError::Address { option, text: text.clone() }),
                }
            }
        }
        if let Some(both) = self.share.iter().find(|address| self.private.contains(address)) {
            return Err(ConfigError::SharedAndPrivate(both.clone()));
        }
        if self.server_restart_delay.is_zero() {
            let advice = "the socket would be opened again and again without a pause; give 1ms or more";
            return Err(ConfigError::Zero { option: "server-restart-delay", advice });
        }
        Ok(())
    }

    /// The rules on what is shared, as the preloaded library reads them.
    pub(crate) fn rules(&self) -> String {
        let share = self.share.iter().map(|rule| format!("+{rule}"));
        let private = self.private.iter().map(|rule| format!("-{rule}"));
        share.chain(private).collect::<Vec<_>>().join("\n")
    }

    /// An address that is given twice counts once.
    pub(crate) fn without_repetitions(mut self) -> Self {
        for addresses in [&mut self.share, &mut self.private] {
            let mut seen = std::collections::HashSet::new();
            addresses.retain(|address| seen.insert(address.clone()));
        }
        self
    }
}
