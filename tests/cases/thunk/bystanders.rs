//! The thunk in programs that never listen: their output and exit code are the same to the byte.

use harness::{TempDir, app_dir, interpreter, require, thunk};
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// Name, arguments and what it reads. `@` at the start of a word is the folder of the test programs.
const PROGRAMS: &[(&str, &[&str], &str)] = &[
    ("awk", &["{ print $2, NR }"], "a b\nc d\n"),
    ("base64", &["-w", "20"], "some bytes that are long enough for two lines"),
    ("basename", &["/a/b.c", ".c"], ""),
    ("bash", &["-c", "for i in 1 2 3; do echo $((i * i)) | cat; done; exit 4"], ""),
    ("bc", &["-l"], "scale=20; 4*a(1)\n"),
    ("cat", &["-n", "@README.md"], ""),
    ("cc", &["-E", "-P", "@c/other_preload.c"], ""),
    ("cksum", &["@README.md"], ""),
    ("cmp", &["@README.md", "@run.sh"], ""),
    ("comm", &["-3", "@run.sh", "@run.sh"], ""),
    ("cp", &["--no-such-option"], ""),
    ("curl", &["-s", "http://127.0.0.1:1/"], ""),
    ("cut", &["-d:", "-f2"], "a:b:c\n"),
    ("date", &["-u", "-d", "@0"], ""),
    ("dd", &["bs=4", "count=2", "status=none"], "0123456789"),
    ("diff", &["@README.md", "@run.sh"], ""),
    ("dirname", &["/a/b/c"], ""),
    ("du", &["-b", "@README.md"], ""),
    ("echo", &["some", "words"], ""),
    ("expr", &["6", "*", "7"], ""),
    ("factor", &["1234567890"], ""),
    ("false", &[], ""),
    ("find", &["@c", "-name", "*.h"], ""),
    ("fmt", &["-w", "30"], "some words that are to be broken into several lines of text\n"),
    ("fold", &["-w", "10"], "a line that is longer than ten\n"),
    ("gcc", &["--version"], ""),
    ("getent", &["passwd", "root"], ""),
    ("git", &["hash-object", "@README.md"], ""),
    ("grep", &["-n", "PORT", "@README.md"], ""),
    ("gzip", &["-nc", "@README.md"], ""),
    ("head", &["-c", "100", "@README.md"], ""),
    ("id", &[], ""),
    ("java", &["-version"], ""),
    ("join", &["@run.sh", "@run.sh"], ""),
    ("ld", &["--version"], ""),
    ("ls", &["-la", "@c"], ""),
    ("make", &["-f", "-", "all"], "all:\n\t@echo made\n"),
    ("md5sum", &["@README.md"], ""),
    ("nl", &["@run.sh"], ""),
    (
        "node",
        &["-e", "console.log(require('os').EOL.length, [1, 2].map((n) => n * 2)); process.exitCode = 5"],
        "",
    ),
    ("npm", &["--version"], ""),
    ("objdump", &["--version"], ""),
    ("od", &["-c"], "bytes\n\0\x01"),
    ("openssl", &["dgst", "-sha256", "@README.md"], ""),
    ("paste", &["-s", "@run.sh"], ""),
    ("perl", &["-e", "print join(',', map { $_ * 2 } 1..5), \"\\n\"; exit 3"], ""),
    ("printf", &["%05d %s\\n", "42", "text"], ""),
    (
        "python3",
        &[
            "-c",
            "import subprocess, sys; print(subprocess.run(['echo', 'x'], capture_output=True)); sys.exit(6)",
        ],
        "",
    ),
    ("readlink", &["-f", "/proc/self/../self/../version"], ""),
    ("rustc", &["--version"], ""),
    ("sed", &["s/a/b/g"], "banana\n"),
    ("seq", &["1", "3", "20"], ""),
    ("sh", &["-c", "echo out; echo err >&2; kill -9 $$"], ""),
    ("sha256sum", &["@README.md"], ""),
    ("sort", &["-rn"], "1\n10\n9\n"),
    ("split", &["--no-such-option"], ""),
    ("stat", &["-c", "%s %F", "@README.md"], ""),
    ("strings", &["-n", "8", "/bin/true"], ""),
    ("tac", &[], "1\n2\n3\n"),
    ("tail", &["-n", "3", "@README.md"], ""),
    ("tar", &["-c", "--sort=name", "--mtime=@0", "-C", "@c", "."], ""),
    ("tee", &["/dev/stderr"], "both ways\n"),
    ("test", &["1", "-gt", "2"], ""),
    ("timeout", &["0.1", "sleep", "10"], ""),
    ("tr", &["a-z", "A-Z"], "upper\n"),
    ("true", &[], ""),
    ("uname", &["-srm"], ""),
    ("uniq", &["-c"], "a\na\nb\n"),
    ("wc", &["@README.md"], ""),
    ("xargs", &["-n", "1", "echo"], "a b c\n"),
    ("xz", &["-c", "@README.md"], ""),
    ("yes", &["--no-such-option"], ""),
];

fn run(row: &(&str, &[&str], &str), folder: &Path, env: &[(&str, &str)]) -> Output {
    let apps = app_dir();
    // After `@` comes a file of ours, or, as `date` and `tar` write it, a time.
    let word = |word: &&str| match word.strip_prefix('@') {
        Some(file) if !file.starts_with('0') => apps.join(file).into_os_string(),
        _ => word.into(),
    };
    let mut command = Command::new(interpreter(row.0));
    command
        .args(row.1.iter().map(word))
        .current_dir(folder)
        .env_remove("LD_PRELOAD")
        .envs(env.iter().copied());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it is installed");
    // A program that does not read its input is no fault.
    let _ = std::io::Write::write_all(&mut child.stdin.take().expect("it is piped"), row.2.as_bytes());
    child.wait_with_output().expect("it is our child")
}

fn is_installed(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(name).is_file())
}

#[test]
fn are_the_same_to_the_byte() {
    let thunk = thunk().into_os_string().into_string().expect("a plain path");
    let preloaded = [("LD_PRELOAD", thunk.as_str())];
    let orphaned = [
        ("LD_PRELOAD", thunk.as_str()),
        ("CLUSTERMON_SOCKET", "clustermon-test-nobody-listens"),
        ("CLUSTERMON_SUPERVISOR", "1:0:1:1"),
        ("CLUSTERMON_TOKEN", "00000000000000000000000000000000"),
    ];
    let folder = TempDir::new();
    let mut tried = 0;
    let mut differences = Vec::new();
    for row in PROGRAMS.iter().filter(|row| is_installed(row.0)) {
        tried += 1;
        let alone = run(row, folder.path(), &[]);
        for env in [&preloaded[..], &orphaned] {
            let loaded = run(row, folder.path(), env);
            if (loaded.status, &loaded.stdout, &loaded.stderr) != (alone.status, &alone.stdout, &alone.stderr)
            {
                differences.push(format!("{} {:?}:\n{alone:?}\n{loaded:?}", row.0, row.1));
            }
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    assert!(tried >= 50, "only {tried} of {} are installed", PROGRAMS.len());
}

#[test]
fn really_have_it_loaded() {
    let thunk = thunk().into_os_string().into_string().expect("a plain path");
    let row = ("cat", &["/proc/self/maps"][..], "");
    let output = run(&row, TempDir::new().path(), &[("LD_PRELOAD", &thunk)]);
    assert!(String::from_utf8_lossy(&output.stdout).contains("libclustermon_thunk.so"));
}

/// What the thunk has looked for and not found is nothing that the program did.
#[test]
fn hear_of_no_error_that_the_thunk_made() {
    let folder = TempDir::new();
    for compiler in ["cc", "musl-gcc"] {
        if !require(compiler) {
            continue;
        }
        let program = folder.path().join(compiler);
        let built =
            Command::new(compiler).arg("-o").arg(&program).arg(app_dir().join("c/dlerror.c")).status();
        assert!(built.expect("it is installed").success(), "{compiler}");
        let said = Command::new(&program).env("LD_PRELOAD", thunk()).output().expect("it was built");
        assert_eq!(String::from_utf8_lossy(&said.stdout), "none\n", "{compiler}");
    }
}
