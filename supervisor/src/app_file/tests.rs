//! Tests of the whole room: a text in, the arguments of `run` or the report of what is wrong out.

use super::{AppFile, Options, Report, Wanted, read};
use proptest::prelude::*;
use std::path::Path;

fn options() -> Options {
    Options::of(crate::cli::run_command())
}

fn read_in(folder: &str, text: &str, profile: Option<&str>) -> (AppFile, String) {
    let options = options();
    let wanted = Wanted { options: &options, folder: Path::new(folder), profile };
    let (file, mut faults) = read(text, wanted);
    for app in &file.apps {
        faults.extend(app.settle(&options, crate::cli::run_config).1);
    }
    faults.sort_by_key(|fault| fault.span.start);
    let report = Report::new("f.toml", text, &file.secrets, &faults).render(false);
    (file, report)
}

/// The arguments of each app, one a line.
#[track_caller]
fn arguments(folder: &str, text: &str, profile: Option<&str>) -> Vec<String> {
    let (file, report) = read_in(folder, text, profile);
    assert_eq!(report, "");
    let words = |words: Vec<std::ffi::OsString>| {
        words.iter().map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
    };
    let arguments = |app: &super::App| app.settle(&options(), |given| Ok::<_, String>(words(given))).0;
    file.apps.iter().filter_map(arguments).collect()
}

fn report(text: &str) -> String {
    read_in("", text, None).1
}

#[test]
fn a_table_is_the_arguments_of_run() {
    let text = r#"
[app.web]
command = "node server.js 'a b'"
verbose = 2
log-format = "json"
log = "web.log"
workers = 4
restart-delay = "200ms"
share = ["*:80", "*:81"]
exit-codes-ok = [3, 4]
keep-trying = true
capture = false
cwd = "web"
env-file = "/etc/web.env"
umask = "027"
"#;
    let expected = "--name=web --cwd=web --env-file=/etc/web.env --exit-codes-ok=3 --exit-codes-ok=4 --keep-trying --log=web.log --log-format=json \
                    --restart-delay=200ms --share=*:80 --share=*:81 --umask=027 --verbose --verbose --workers=4 -- node server.js a b";
    assert_eq!(arguments("", text, None), [expected]);
    let text =
        "[app.a]\ncommand = \"a\"\ncontrol = \"none\"\n[app.b]\ncommand = \"b\"\ncontrol = \"b.sock\"\n";
    assert_eq!(
        arguments("/srv", text, None),
        ["--name=a --control=none --cwd=/srv -- a", "--name=b --control=/srv/b.sock --cwd=/srv -- b"]
    );
    // Relative to the file, where an app runs if nothing else is said.
    let text =
        "[app.a]\ncommand = [\"./a\", \"-x\"]\nenv-file = \"a.env\"\n[app.b]\ncommand = \"b\"\ncwd = \"b\"\n";
    assert_eq!(
        arguments("/srv", text, None),
        ["--name=a --env-file=/srv/a.env --cwd=/srv -- ./a -x", "--name=b --cwd=/srv/b -- b"]
    );
}

#[test]
fn every_option_of_run_is_a_key_or_has_another_way() {
    let options = options();
    for (key, line) in [("name", "name = \"x\""), ("detach", "detach = true")] {
        let told = report(&format!("[app.a]\ncommand = \"a\"\n{line}\n"));
        assert!(told.contains(&format!("`{key}` is no key")), "{told}");
    }
    let keys: Vec<_> = options.keys().map(|o| o.name()).collect();
    for key in
        ["workers", "control", "log", "verbose", "max-surge", "no-surge", "watchdog", "interpreter-arg"]
    {
        assert!(keys.contains(&key), "{key}");
    }
    // All but those two.
    let command = crate::cli::run_command();
    let all = command.get_arguments().filter(|arg| !arg.is_hide_set() && arg.get_long().is_some());
    assert_eq!(keys.len(), all.count() - 2);
}

#[test]
fn what_is_said_of_an_app_beats_what_is_said_of_all() {
    let text = r#"
[defaults]
workers = 2
policy = "source-hash"
env = { A = "all", B = "all" }
[app.web]
command = "web"
logical-ids = ["a"]
env.B = "web"
[app.api]
command = "api"
[profile.prod.defaults]
workers = 8
env.A = "prod"
[profile.prod.app.api]
policy = "round-robin"
[profile.prod.app.only]
command = "only"
"#;
    assert_eq!(
        arguments("", text, None),
        [
            "--name=web --logical-ids=a --policy=source-hash -- web",
            "--name=api --policy=source-hash --workers=2 -- api"
        ]
    );
    assert_eq!(
        arguments("", text, Some("prod")),
        [
            "--name=web --logical-ids=a --policy=source-hash -- web",
            "--name=api --policy=round-robin --workers=8 -- api",
            "--name=only --policy=source-hash --workers=8 -- only"
        ]
    );
    let (file, _) = read_in("", text, Some("prod"));
    let env: Vec<_> = file.apps[0].env.0.iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(env, ["A=prod", "B=web"]);
    let (_, told) = read_in("", text, Some("prd"));
    assert!(told.contains("there is no profile \"prd\"") && told.contains("did you mean prod?"), "{told}");
}

#[test]
fn each_starts_after_those_that_it_names() {
    let text = "[app.web]\ncommand = \"w\"\nafter = [\"api\", \"db\"]\n[app.api]\ncommand = \"a\"\nafter = \"db\"\n[app.db]\ncommand = \"d\"\n";
    let names: Vec<_> = read_in("", text, None).0.apps.into_iter().map(|app| app.name).collect();
    assert_eq!(names, ["db", "api", "web"]);
    let told =
        report("[app.a]\ncommand = \"a\"\nafter = [\"b\"]\n[app.b]\ncommand = \"b\"\nafter = [\"a\"]\n");
    assert!(told.contains("no app of a, b can start first\n --> f.toml:3:10"), "{told}");
    let told =
        report("[app.a]\ncommand = \"a\"\nafter = [\"a\"]\n[app.web]\ncommand = \"b\"\nafter = [\"wbe\"]\n");
    assert!(told.contains("after itself") && told.contains("did you mean \"web\"?"), "{told}");
}

#[test]
fn all_that_is_wrong_is_told_at_once_with_its_place() {
    let text = r#"wrokers = 4
[app.web]
command = "node server.js && rm x"
cwd = 7
exit_codes_ok = [1]
capture = "yes"
max-surge = 2
no-surge = true
restart-delay = "5"
window = 0
respawn = "many"
umask = 0o27
[profile.p]
command = "a"
[app.api]
command = ["node", 1.5]
[app.none]
"#;
    let told = report(text);
    for (what, place, advice) in [
        ("unknown key `wrokers`", "1:1", "did you mean `workers`? It stands below [app.NAME]"),
        ("bad value of `command`", "3:11", "no shell runs this, and && means nothing"),
        ("`cwd` takes text, not a number", "4:7", "write \"7\""),
        ("unknown key `exit_codes_ok`", "5:1", "did you mean `exit-codes-ok`?"),
        ("`capture` takes true or false, not text", "6:11", "write capture = true"),
        ("`max-surge` and `no-surge` say the same in two ways: give one of them", "7:13", ""),
        ("bad value of `restart-delay`", "9:17", "this has no unit; write for example 500ms"),
        ("`window` 0: give 1 to 256", "10:10", ""),
        ("bad value of `respawn`", "11:11", "give a whole number"),
        ("`umask` takes text, not an octal number", "12:9", "write \"27\""),
        ("`command` is for an app", "14:1", "put it below [app.NAME]"),
        ("bad value of `command`", "16:20", "each word is a text, this is a number with a fraction"),
        ("the app none has no command", "17:6", "write below it command"),
    ] {
        let at = told.find(&format!("--> f.toml:{place}\n")).unwrap_or_else(|| panic!("{place}: {told}"));
        let start = told[..at].rfind("error: ").unwrap();
        let end = told[at..].find("\n\n").map_or(told.len(), |end| at + end);
        let one = &told[start..end];
        assert!(one.contains(what) && one.contains(advice), "{what}: {one}");
    }
    assert_eq!(told.matches("error: ").count(), 13, "{told}");
}

#[test]
fn what_follows_from_a_fault_alone_is_not_told() {
    // Neither that 1m is longer than the default of the other, nor that the command is not there.
    let told = report("[app.a]\ncommand = 1\nrestart-delay = \"1m\"\nmax-restart-delay = \"5\"\n");
    assert_eq!(told.matches("error: ").count(), 2, "{told}");
    let told = report("[app.a]\ncommand = \"a\"\nrestart-delay = \"1m\"\n");
    assert!(told.contains("`restart-delay` 1m is longer than `max-restart-delay` 30s"), "{told}");
    assert!(report("").contains("there is no app in this file\n--> f.toml\n"), "{}", report(""));
}

#[test]
fn text_that_is_no_toml_is_told_line_by_line() {
    let told = report("workers = \n[app.a]\ncommand = \"a\"\nenv = { A = \"s3cret }\nwindow = 0\nwrok = 1\n");
    assert!(told.contains("--> f.toml:1:11") && told.contains("--> f.toml:4:22"), "{told}");
    assert!(!told.contains("s3cret"), "{told}");
}

#[test]
fn a_variable_is_never_shown() {
    for text in [
        "[app.a]\ncommand = \"a\"\nenv = { A = \"s3cret\", B = [\"s3cret\"] }\n",
        "app.a = { env = { A = \"s3cret\" }, wrokers = 1, command = \"a\" }\n",
        "[app.a]\ncommand = \"a\"\n[app.a.env]\nA = { B = \"s3cret\" }\nC = \"\"\"\ns3cret\n\"\"\"\nD = 1979-05-27\n",
        "[app.a]\ncommand = \"a\"\nenv = \"s3cret\"\n",
        "[app.a]\ncommand = \"a\"\nenv.B = \"s3cret\\u0000\"\n",
        "[app.a]\ncommand = \"a\"\nevn = { A = \"s3cret\" }\nenvironment.A = \"s3cret\"\nA = \"s3cret\"\n",
        "env = { A = \"s3cret\" }\n",
        "[app.a]\ncommand = \"a # b\"\nwindow = 0 # A = s3cret\n",
        "[profile.p.defaults]\nenv.B = [\"s3cret\"]\n[app.a]\ncommand = \"a\"\n",
    ] {
        let told = report(text);
        assert!(told.contains("error: ") && !told.contains("s3cret"), "{told}");
    }
}

#[test]
fn no_text_panics() {
    for text in [
        "[",
        "a.b.c = ",
        "[[app]]\nx=1",
        "app = 1",
        "[app]\nweb = 1",
        "[profile]\nx = 1",
        "\u{feff}x",
        "env = 1",
        "é = ü",
    ] {
        assert!(report(text).contains("error: "), "{text}");
    }
}

#[test]
fn the_example_of_the_documentation_is_right() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/app-file.md");
    let page = std::fs::read_to_string(path).unwrap();
    let example = page.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    for profile in [None, Some("dev")] {
        let names: Vec<_> = arguments("", example, profile)
            .into_iter()
            .map(|line| line.split(' ').next().map(str::to_owned))
            .collect();
        assert_eq!(names, [Some("--name=db".to_owned()), Some("--name=web".to_owned())]);
    }
}

proptest! {
    /// Pieces of such files in any order, with what does not belong there between them.
    #[test]
    fn no_mixture_panics_or_shows_a_variable(pieces in prop::collection::vec(piece(), 0..24)) {
        let text = pieces.concat();
        let told = report(&text);
        // A text that is no TOML is not shown; of any other the values are masked.
        prop_assert!(!told.contains("s3cret"), "{text}\n{told}");
    }
}

fn piece() -> impl Strategy<Value = String> {
    let pieces = [
        "[app.a]\n",
        "[app.b]\n",
        "[defaults]\n",
        "[profile.p.app.a]\n",
        "[app.a.env]\n",
        "[[app]]\n",
        "A = 's3cret'",
        "env = \"s3cret\"",
        "env.A = 's3cret'",
        "evn = { A = \"s3cret\" }",
        "env = \"\"\"\ns3cret\n\"\"\"",
        "env = [\"s3cret\"]",
        "cwd = { A = \"s3cret\" }",
        "share = [{ A = \"s3cret\" }]",
        "app.b = { env = { B = 's3cret' }, ",
        "}",
        "]",
        "command = \"x\"",
        "\n",
        "\n\n",
        ", ",
        "workers = 0",
        "é = ü",
        "\r\n",
        "wrokers = 1",
        "after = [\"a\"]",
        "window = 0",
        " ",
        "#",
        "=",
        "1",
        "true",
        ".",
        "\"",
    ];
    prop::sample::select(pieces.to_vec()).prop_map(str::to_owned)
}
