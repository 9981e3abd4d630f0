//! Hooks are run as workers are: as the same user, below the same root and within the same limits.

use super::roots::{libraries, put, root_for};
use super::{NOBODY, Place};
use crate::hooks::on;
use harness::{Options, PATIENCE, wait_for};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Says who it is and what it may, in a file that is complete once it is there.
const LOOK: &str = "{ id -u; id -g; id -G; ulimit -n; pwd; (echo x > \"$1/of-root\") 2>/dev/null && echo written || echo refused; \
    } > \"$1/out/new\"\necho 'it opens it anew' > /dev/stderr\nmv \"$1/out/new\" \"$1/out/found\"\n";

/// A folder of root's with the script, and one that everybody may write to.
fn prepare(folder: &Path) -> PathBuf {
    fs::create_dir(folder.join("out")).expect("the folder is ours");
    fs::set_permissions(folder.join("out"), fs::Permissions::from_mode(0o777)).expect("the folder is ours");
    fs::write(folder.join("of-root"), "kept").expect("the folder is ours");
    fs::write(folder.join("look.sh"), LOOK).expect("the folder is ours");
    folder.join("out/found")
}

#[test]
fn they_are_the_same_user_within_the_same_limits() {
    for more in ["", " --no-new-privs", " --before-reload"] {
        let Some(place) = Place::new(&[]) else { return };
        let folder = place.folder.path();
        let found = prepare(folder);
        let command = format!("sh {0}/look.sh {0}", folder.display());
        let flags = format!("{NOBODY} --limit nofile=77 --cwd {}", folder.join("out").display());
        let options = match more {
            " --before-reload" => Options::workers(1).flags(&flags).word(more.trim()).word(&command),
            _ => on(Options::workers(1).flags(&(flags + more)), "start", &command),
        };
        let cluster = place.start_with(&[&place.program], options);
        if more == " --before-reload" {
            cluster.order("reload");
        }
        let told = wait_for("the hook has looked", PATIENCE, || fs::read_to_string(&found).ok());
        let cwd = fs::canonicalize(folder.join("out")).expect("it is there");
        let expected = format!("65534\n65534\n65534\n77\n{}\nrefused\n", cwd.display());
        assert_eq!(told, expected, "{more}");
        assert_eq!(fs::read(folder.join("of-root")).expect("it is there"), b"kept");
        cluster.log().wait_for(": it opens it anew");
        cluster.stop();
    }
}

#[test]
fn they_are_found_below_the_root() {
    let Some(place) = Place::new(&["-static"]) else { return };
    let root = root_for(&place);
    for program in ["/bin/sh", "/usr/bin/id", "/usr/bin/mv"] {
        put(&root, Path::new(program));
        libraries(Path::new(program)).iter().for_each(|file| put(&root, file));
    }
    let found = prepare(&root.join("srv"));
    fs::create_dir(root.join("dev")).expect("the folder is ours");
    // No such thing is outside.
    let options = Options::workers(1).flags(&format!("--chroot {} {NOBODY} --cwd /srv", root.display()));
    let options = on(options, "start", "/bin/sh /srv/look.sh /srv").env("PATH", "/usr/bin:/bin");
    let cluster = place.start_with(&["/srv/epoll-in-root"], options);
    let told = wait_for("the hook has looked", PATIENCE, || fs::read_to_string(&found).ok());
    let lines: Vec<_> = told.lines().collect();
    assert_eq!((&lines[..3], &lines[4..]), (&["65534"; 3][..], &["/srv", "refused"][..]), "{told}");
    cluster.stop();

    // What is only outside is missed before anything is started.
    let options = Options::workers(1).flags(&format!("--chroot {} {NOBODY}", root.display())).at_once();
    let outside = format!("{}/srv/look.sh", root.display());
    let mut cluster = place.start_with(&["/srv/epoll-in-root"], on(options, "start", &outside));
    assert_eq!(cluster.wait_exit().code(), Some(2), "{}", cluster.log().text());
    assert!(cluster.log().text().contains("--on start"), "{}", cluster.log().text());
}
