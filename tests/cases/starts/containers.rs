//! The examples of examples/containers/: the steps of their last stage are carried out, and the result runs as process 1 with a root that is
//! read-only, no capabilities, and another user. There is no container engine in it: a mount and a PID namespace are what one would make.

use harness::{Cluster, Options, PATIENCE, TempDir, clustermon, require, thunk, wait_until, who};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// What becomes of the image at ROOT: mounted read-only, with what an engine puts into every container, and entered with no rights.
const ENTER: &str = r#"set -e
mount --make-rprivate /
if [ -n "$BASE" ]; then
  # Layers of one file system must not lie in each other.
  mount -t tmpfs tmpfs "$ROOT"; mkdir "$ROOT/image" "$ROOT/all"; cp -a "$IMAGE/." "$ROOT/image"
  mount -t overlay overlay -o "ro,lowerdir=$ROOT/image:$BASE" "$ROOT/all"; ROOT=$ROOT/all
else mount --bind "$IMAGE" "$ROOT"; mount -o remount,bind,ro "$ROOT"; fi
mount -t proc proc "$ROOT/proc"
mount --rbind /dev "$ROOT/dev"
mount -t tmpfs -o mode=1777 tmpfs "$ROOT/tmp"
exec env -u RUNTIME_DIRECTORY -u XDG_RUNTIME_DIR -u KUBERNETES_SERVICE_HOST \
  setpriv --no-new-privs --inh-caps=-all --bounding-set=-all,+sys_chroot,+setuid,+setgid -- \
  unshare --root="$ROOT" --wd="$DIRECTORY" --setgid="${OWNER#*:}" --setuid="${OWNER%:*}" -- "$@""#;

/// The last stage of a Dockerfile, built into a folder.
struct Image {
    folder: TempDir,
    directory: String,
    owner: String,
    entrypoint: Vec<String>,
    command: Vec<String>,
}

impl Image {
    /// `build` has the files of the stage that is copied from, by their paths there.
    fn build(file: &str, build: &[(&str, PathBuf)]) -> Self {
        let context = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let text = fs::read_to_string(context.join("examples/containers").join(file)).expect("it is there");
        let (_, stage) = text.rsplit_once("\nFROM ").expect("it has stages");
        let (directory, owner) = ("/".to_owned(), "0:0".to_owned());
        let mut image =
            Self { folder: TempDir::new(), directory, owner, entrypoint: Vec::new(), command: Vec::new() };
        for folder in ["image/proc", "image/dev", "image/tmp", "root"] {
            fs::create_dir_all(image.folder.path().join(folder))
                .expect("the temporary directory is writable");
        }
        for line in stage.lines().skip(1).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let (step, words) = line.split_once(' ').expect("a step has words");
            match step {
                "COPY" => match words.strip_prefix("--from=build ") {
                    Some(words) => {
                        let (from, to) = words.split_once(' ').expect("from and to");
                        let found = build.iter().find(|(path, _)| *path == from);
                        image.copy(&found.unwrap_or_else(|| panic!("nothing builds {from}")).1, to);
                    }
                    None => {
                        let (from, to) = words.split_once(' ').expect("from and to");
                        image.copy(&context.join(from), to);
                    }
                },
                "WORKDIR" => {
                    image.directory = words.to_owned();
                    fs::create_dir_all(image.path(words)).expect("the temporary directory is writable");
                }
                "USER" => image.owner = words.to_owned(),
                "ENTRYPOINT" => image.entrypoint = serde_json::from_str(words).expect("a list"),
                "CMD" => image.command = serde_json::from_str(words).expect("a list"),
                "EXPOSE" => {}
                _ => panic!("{file}: no step of the last stage is called {step}"),
            }
        }
        image
    }

    /// A path of the image.
    fn path(&self, path: &str) -> PathBuf {
        let path = Path::new(&self.directory).join(path);
        self.folder.path().join("image").join(path.strip_prefix("/").expect("an absolute path"))
    }

    fn copy(&self, from: &Path, to: &str) {
        let to = self.path(to);
        fs::create_dir_all(to.parent().expect("it has a folder"))
            .expect("the temporary directory is writable");
        fs::copy(from, to).expect("it is there");
    }

    /// Runs it on top of this folder, as process 1.
    fn run(&self, base: &str) -> Cluster {
        let [supervisor, words @ ..] = &self.entrypoint[..] else { panic!("no entrypoint") };
        assert_eq!(words, ["run", "-n", "2", "--"], "what the harness starts below");
        let (image, root) = (self.folder.path().join("image"), self.folder.path().join("root"));
        let options = Options::workers(2)
            .env("IMAGE", image)
            .env("ROOT", root)
            .env("BASE", base)
            .env("DIRECTORY", &self.directory)
            .env("OWNER", &self.owner)
            .env("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin")
            .below(&["unshare", "--mount", "--pid", "--fork", "--kill-child", "--", "sh", "-c", ENTER, "sh"])
            .supervisor(Path::new(supervisor));
        Cluster::start_command(&self.command, options)
    }
}

/// False, and said, where no such namespaces can be made.
fn can_be_tried() -> bool {
    if !require("unshare") || !require("setpriv") {
        return false;
    }
    let tried = Command::new("unshare")
        .args(["--mount", "--pid", "--fork", "--", "mount", "--make-rprivate", "/"])
        .output();
    let tried = tried.expect("it is installed");
    if !tried.status.success() {
        eprintln!("skipped: {}", String::from_utf8_lossy(&tried.stderr).trim());
    }
    tried.status.success()
}

fn from_build() -> Vec<(&'static str, PathBuf)> {
    vec![
        ("/src/target/release/clustermon", clustermon()),
        ("/src/target/release/libclustermon_thunk.so", thunk()),
    ]
}

fn children(parent: u32) -> Vec<u32> {
    let text = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).unwrap_or_default();
    text.split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}

fn status(pid: u32, name: &str) -> String {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).expect("it lives");
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(":\t"));
    line.expect("the kernel tells it").to_owned()
}

/// It serves with no rights at all, ends in time, and with code 0.
fn check(image: &Image, base: &str) {
    let mut cluster = image.run(base);
    let [supervisor] = children(cluster.pid())[..] else { panic!("one child") };
    let uid = image.owner.split(':').next().expect("a user").to_owned();
    let workers = children(supervisor);
    assert_eq!(workers.len(), 2);
    assert!(status(supervisor, "NSpid").ends_with("\t1"), "{}", status(supervisor, "NSpid"));
    for pid in workers.into_iter().chain([supervisor]) {
        assert_eq!(status(pid, "Uid").split('\t').collect::<Vec<_>>(), [uid.as_str(); 4]);
        for set in ["CapEff", "CapPrm", "CapAmb"] {
            assert_eq!(status(pid, set), "0000000000000000", "{set}");
        }
        assert_eq!(status(pid, "NoNewPrivs"), "1");
        let mounts = fs::read_to_string(format!("/proc/{pid}/mountinfo")).expect("it lives");
        let root = mounts.lines().find(|line| line.split(' ').nth(4) == Some("/")).expect("it has a root");
        assert!(root.split(' ').nth(5).is_some_and(|options| options.starts_with("ro")), "{root}");
    }
    let mut seen = BTreeSet::new();
    wait_until("both workers answer", PATIENCE, || {
        seen.extend(who(&cluster.target()).map(|who| who.id));
        seen.len() == 2
    });
    cluster.log().wait_for("workers are told within 4s, and what is left is killed after 8s");
    let begun = Instant::now();
    harness::signal(supervisor, libc::SIGTERM);
    assert_eq!(cluster.wait_exit().code(), Some(0));
    assert!(begun.elapsed() < Duration::from_secs(10), "an engine would have killed it");
    cluster.assert_nothing_left();
}

#[test]
fn the_example_with_node() {
    if !can_be_tried() || !require("node") {
        return;
    }
    // The packages of this machine are the base.
    check(&Image::build("Dockerfile", &from_build()), "/");
}

#[test]
fn the_example_with_nothing_but_a_libc() {
    if !can_be_tried() || !require("rustc") {
        return;
    }
    let folder = TempDir::new();
    let server = folder.path().join("server");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/containers/server.rs");
    let compiled = Command::new("rustc").arg("-O").arg(source).arg("-o").arg(&server).status();
    assert!(compiled.expect("it is installed").success());
    let image =
        Image::build("Dockerfile.distroless", &[from_build(), vec![("/server", server.clone())]].concat());
    // What the base has: the libraries of both programs, and the dynamic linker.
    for program in [clustermon(), server] {
        let output = Command::new("ldd").arg(program).output().expect("it comes with libc");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        for library in text.split_whitespace().filter(|word| word.starts_with('/')) {
            image.copy(Path::new(library), library);
        }
    }
    check(&image, "");
}

/// What compose.yaml asks for is what the test above gives, and it names a file that is there.
#[test]
fn the_example_for_compose_asks_for_the_same() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/containers");
    let text = fs::read_to_string(folder.join("compose.yaml")).expect("it is there");
    for line in
        ["read_only: true", "cap_drop: [ALL]", "security_opt: [\"no-new-privileges:true\"]", "tmpfs: [/tmp]"]
    {
        assert!(text.contains(line), "{line}");
    }
    let file = text.lines().find_map(|line| line.trim().strip_prefix("dockerfile: ")).expect("it names one");
    assert!(folder.join("../..").join(file).is_file(), "{file}");
}
