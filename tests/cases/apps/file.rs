//! The file of several apps, `clustermon.toml`: what `check` and `schema` say of it, and which files are refused.

use harness::{Said, TempDir, cli_command};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// A folder with this file.
fn folder(text: &str) -> TempDir {
    let folder = TempDir::new();
    fs::write(folder.path().join("clustermon.toml"), text).expect("the folder is ours");
    folder
}

/// `clustermon WORDS` in the folder.
fn said(folder: &Path, words: &str) -> Said {
    let output = cli_command(folder, words).current_dir(folder).output().expect("it starts");
    Said {
        code: output.status.code(),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

#[test]
fn check_says_what_would_run() {
    let folder = folder(
        "[defaults]\nworkers = 2\nenv.TOKEN = \"s3cret\"\n[app.web]\ncommand = \"sh -c 'sleep 9'\"\nafter = \"db\"\npolicy = \"source-hash\"\n\
         [app.db]\ncommand = [\"sh\"]\ncwd = \"data\"\n[profile.prod.app.web]\nlogical-ids = [\"a\", \"b\", \"c\"]\n",
    );
    fs::create_dir(folder.path().join("data")).expect("the folder is ours");
    let web = |workers: &str| {
        format!(
            "clustermon.toml: ok, 2 apps\n\ndb\n  command  sh\n  workers  2\n  cwd      data\n  env      TOKEN (values are not shown)\n\n\
             web\n  command  sh -c 'sleep 9'\n  workers  {workers}\n  policy   source-hash\n  env      TOKEN (values are not shown)\n  after    db\n"
        )
    };
    assert_eq!(said(folder.path(), "check").good(), web("2"));
    assert_eq!(said(folder.path(), "check clustermon.toml --env prod").good(), web("3: a, b, c"));
    // From elsewhere the folder of the file counts.
    let path = folder.path().display();
    let told = said(Path::new("/"), &format!("check {path}")).good();
    assert!(told.contains(&format!("cwd      {path}/data\n")), "{told}");
}

#[test]
fn check_tells_all_that_is_wrong() {
    let folder = folder(
        "[app.web]\ncommand = \"nowhere-at-all\"\nwrokers = 2\nenv.A = [\"s3cret\"]\n[app.db]\ncommand = \"true\"\ncwd = \"missing\"\n\
         [app.queue]\ncommand = \"true\"\nenv-file = \"bad.env\"\nrestart-delay = \"5\"\n",
    );
    fs::write(folder.path().join("bad.env"), "A=1\nB: 2\n").expect("the folder is ours");
    let told = said(folder.path(), "check");
    assert_eq!((told.code, told.out.as_str()), (Some(2), ""), "{told:?}");
    for (place, what) in [
        ("2:11", "nowhere-at-all"),
        ("3:1", "did you mean `workers`?"),
        ("4:9", "a variable is a text, not a list"),
        ("7:7", "`cwd` \"missing\""),
        ("10:12", "line 2: write NAME=value"),
        ("11:17", "this has no unit"),
    ] {
        let one = told.err.split("\n\n").find(|one| one.contains(&format!("clustermon.toml:{place}\n")));
        assert!(one.is_some_and(|one| one.contains(what)), "{place}: {told:?}");
    }
    assert!(
        told.err.ends_with("clustermon: clustermon.toml: 6 faults; nothing was started or changed\n"),
        "{told:?}"
    );
    assert!(!told.err.contains("s3cret") && !told.err.contains('\x1b'), "{told:?}");
}

#[test]
fn check_finds_what_the_start_would() {
    let apps = "[app.web]\ncommand = \"/bin/true\"\n[app.db]\ncommand = \"/bin/true\"\n";
    let folder = folder(&format!("[defaults]\nlog = \"logs/all.log\"\n{apps}"));
    // It is at fault for both apps, and is told once.
    for command in ["check", "up -d"] {
        let told = said(folder.path(), command);
        assert_eq!(told.code, Some(2), "{told:?}");
        assert!(told.err.contains("logs\": make it first\n --> clustermon.toml:2:7\n"), "{told:?}");
        assert!(told.err.ends_with("clustermon.toml: 1 fault; nothing was started or changed\n"), "{told:?}");
    }
    fs::create_dir(folder.path().join("logs")).expect("the folder is ours");
    said(folder.path(), "check").good();
    // SAFETY: it asks the kernel for a number and touches no memory.
    if unsafe { libc::geteuid() } != 0 {
        return;
    }
    fs::set_permissions(folder.path(), Permissions::from_mode(0o700)).expect("the folder is ours");
    let text = format!("[defaults]\nuser = \"nobody\"\n{apps}");
    fs::write(folder.path().join("clustermon.toml"), text).expect("the folder is ours");
    for command in ["check", "up -d"] {
        let told = said(folder.path(), command);
        assert_eq!(told.code, Some(2), "{told:?}");
        assert!(told.err.contains("cannot be entered: Permission denied"), "{told:?}");
        assert!(told.err.ends_with("clustermon.toml: 1 fault; nothing was started or changed\n"), "{told:?}");
    }
}

#[test]
fn a_file_that_others_could_have_written_is_refused() {
    let folder = folder("[app.web]\ncommand = \"true\"\n");
    let file = folder.path().join("clustermon.toml");
    said(folder.path(), "check").good();
    fs::set_permissions(&file, Permissions::from_mode(0o666)).expect("the file is ours");
    let told = said(folder.path(), "check");
    assert!(
        told.refusal(2).ends_with("others may write to it, and have anything run here: `chmod go-w` it"),
        "{told:?}"
    );
    fs::set_permissions(&file, Permissions::from_mode(0o644)).expect("the file is ours");
    // SAFETY: it asks the kernel for a number and touches no memory.
    if unsafe { libc::geteuid() } == 0 {
        std::os::unix::fs::chown(&file, Some(12_345), None).expect("we are root");
        let told = said(folder.path(), "check");
        assert!(told.refusal(2).contains("it belongs to user 12345"), "{told:?}");
    }
    fs::remove_file(&file).expect("the folder is ours");
    assert!(said(folder.path(), "check").refusal(2).contains("there is no such file"));
}

#[test]
fn the_schema_has_the_options_of_run() {
    let folder = TempDir::new();
    let schema: serde_json::Value =
        serde_json::from_str(&said(folder.path(), "schema").good()).expect("JSON");
    let app = &schema["definitions"]["app"]["properties"];
    assert_eq!(app["max-surge"]["type"], "integer");
    assert!(app["workers"]["description"].as_str().is_some_and(|text| text.contains("How many workers")));
    assert!(app["detach"].is_null() && app["name"].is_null());
}

#[test]
fn what_init_writes_passes_check() {
    for (files, expected) in [
        (
            &[("Procfile", "web: node a.js --port 80\nworker: sh -c 'sleep 9'\nodd: node $X\n")][..],
            "node a.js --port 80",
        ),
        (&[("package.json", r#"{ "name": "shop", "scripts": { "start": "next start" } }"#)], "npm start"),
        (
            &[("pyproject.toml", "[project]\nname = \"shop\"\ndependencies = [\"uvicorn\"]\n")],
            "python3 -m uvicorn app:app --port 8000",
        ),
        (&[("Gemfile", "gem 'puma'\n")], "bundle exec puma"),
        (&[("Gemfile", "gem 'puma'\n"), ("package.json", r#"{ "main": "x.js" }"#)], "node x.js"),
    ] {
        let folder = TempDir::new();
        for (name, text) in files {
            fs::write(folder.path().join(name), text).expect("the folder is ours");
        }
        // It is enough that the programs are there.
        let programs = folder.path().join("programs");
        fs::create_dir(&programs).expect("the folder is ours");
        for name in ["node", "npm", "python3", "bundle"] {
            fs::write(programs.join(name), "#!/bin/sh\n").expect("the folder is ours");
            fs::set_permissions(programs.join(name), Permissions::from_mode(0o755))
                .expect("the file is ours");
        }
        let run = |words: &str| {
            let path = format!("{}:/usr/bin:/bin", programs.display());
            let mut command = cli_command(folder.path(), words);
            let output = command.env("PATH", path).current_dir(folder.path()).output().expect("it starts");
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            Said { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
        };
        let told = run("init").good();
        assert!(files.iter().all(|(name, _)| told.contains(&format!("(from {name})"))), "{told}");
        let told = run("check").good();
        assert!(told.contains(expected), "{told}");
        let file = folder.path().join("clustermon.toml");
        let before = fs::read(&file).expect("it was written");
        assert!(run("init").refusal(2).contains("is there already"));
        assert_eq!(fs::read(&file).expect("it is there"), before);
    }
    // Where nothing is found the command is to be written first.
    let folder = TempDir::new();
    assert!(said(folder.path(), "init").good().contains("write your command below [app.web]"));
    assert_eq!(said(folder.path(), "check").code, Some(2));
}
