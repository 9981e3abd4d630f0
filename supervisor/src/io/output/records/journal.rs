//! A line as the journal of systemd takes it by its native protocol: fields one after the other, and what holds a line end, or may, with its
//! length before it. It sends nothing.

use super::{Fields, append};

/// Where the journal of the system listens.
pub(crate) const SOCKET: &str = "/run/systemd/journal/socket";

/// Appends a record.
pub(in crate::io::output) fn put(into: &mut Vec<u8>, fields: &Fields<'_>) {
    append(into, |into| {
        field(into, "PRIORITY", fields.priority.to_string().as_bytes());
        field(into, "SYSLOG_IDENTIFIER", fields.cluster.as_bytes());
        field(into, "SYSLOG_FACILITY", b"3");
        field(into, "SYSLOG_PID", fields.pid.to_string().as_bytes());
        field(into, "CLUSTERMON_APP", fields.cluster.as_bytes());
        if let Some(worker) = fields.worker {
            field(into, "CLUSTERMON_WORKER", worker.as_bytes());
        }
        field(into, "CLUSTERMON_STREAM", fields.stream.as_bytes());
        field(into, "MESSAGE", fields.text);
    });
}

fn field(into: &mut Vec<u8>, name: &str, value: &[u8]) {
    into.extend_from_slice(name.as_bytes());
    // Text may be written in one line; what is none, such as a message with a NUL, goes by its length.
    if value.iter().all(|byte| *byte >= b' ' || *byte == b'\t') {
        into.push(b'=');
    } else {
        into.push(b'\n');
        into.extend_from_slice(&(value.len() as u64).to_le_bytes());
    }
    into.extend_from_slice(value);
    into.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::super::each;
    use super::*;

    #[test]
    fn text_stands_in_a_line_and_the_rest_has_its_length() {
        let fields = Fields {
            cluster: "web",
            worker: Some("2"),
            pid: 71,
            stream: "stderr",
            priority: 3,
            text: b"caf\xc3\xa9",
        };
        let mut batch = Vec::new();
        put(&mut batch, &fields);
        put(&mut batch, &Fields { worker: None, text: b"a\nb\0", stream: "log", ..fields });
        let records: Vec<_> = each(&batch).collect();
        let common =
            "PRIORITY=3\nSYSLOG_IDENTIFIER=web\nSYSLOG_FACILITY=3\nSYSLOG_PID=71\nCLUSTERMON_APP=web\n";
        let first = format!("{common}CLUSTERMON_WORKER=2\nCLUSTERMON_STREAM=stderr\nMESSAGE=café\n");
        assert_eq!(records[0], first.as_bytes());
        let second = format!("{common}CLUSTERMON_STREAM=log\nMESSAGE\n\u{4}\0\0\0\0\0\0\0a\nb\0\n");
        assert_eq!(records[1], second.as_bytes());
    }
}
