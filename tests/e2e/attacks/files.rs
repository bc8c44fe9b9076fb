//! Files: a pull request decides what is in the directory that `payg plan` reads, and somebody else what is in the one that
//! `payg crds` and `payg man` write to. No cluster is needed.

use std::fs;
use std::os::unix::fs::{FileTypeExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use payg_test_kit::world::{automatic, provider, subscription};
use rustix::fs::{CWD, FileType, Mode, mknodat};
use serde_json::json;

use crate::people::{PAYG, stderr, stdout};

/// So much memory for data is enough for a check of manifests. What takes more is ended by the system.
const MEMORY: &str = "--data=268435456";
/// A refusal is there at once, also on a machine that does much else.
const SOON: Duration = Duration::from_secs(20);

/// A repository that a pull request has written into.
struct Repository {
    dir: tempfile::TempDir,
}

impl Repository {
    fn new() -> Self {
        let repository = Self { dir: tempfile::tempdir().unwrap() };
        fs::create_dir_all(repository.at("billing/team-a")).unwrap();
        let account = "6f1a3c1e-0000-4a00-9000-00000000f7ee";
        let manifests = [provider("azure", "Broker"), subscription("sandbox", account, automatic("BenefitsExhausted"))];
        for (number, manifest) in manifests.iter().enumerate() {
            fs::write(repository.at(&format!("billing/team-a/{number}.yaml")), manifest.to_string()).unwrap();
        }
        repository
    }

    fn at(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    /// What the plan of the directory is refused with.
    fn refusal(&self) -> String {
        refused(&plan(&self.at("billing")))
    }
}

/// `payg plan` of what is at `path`, with little memory and nobody to wait for.
fn plan(path: &Path) -> Output {
    let began = Instant::now();
    let mut command = Command::new("timeout");
    command.args(["--signal=KILL", "60", "prlimit", MEMORY, PAYG, "plan", "--offline", "-f"]).arg(path).env_clear();
    command.env("PATH", "/usr/bin:/bin");
    let output = command.output().unwrap();
    assert!(began.elapsed() < SOON, "it took {:?}", began.elapsed());
    output
}

fn refused(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{}{}", stdout(output), stderr(output));
    let told = stderr(output);
    assert!(told.starts_with("error: ") && told.lines().count() == 1, "{told}");
    told
}

fn fifo(path: &Path) {
    mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
}

/// Class: a link leads out of the repository. Source: CVE-2022-24348 and CVE-2022-31036 (Argo CD reads files through links).
#[test]
fn no_link_leads_a_plan_out_of_its_directory() {
    for (name, target) in [("x.yaml", "/etc/passwd"), ("x.yaml", "../secret.yaml"), ("x.json", "/proc/self/environ")] {
        let repository = Repository::new();
        fs::write(repository.at("secret.yaml"), "clientSecret: s3cr3t-value\n").unwrap();
        symlink(target, repository.at(&format!("billing/{name}"))).unwrap();
        let told = repository.refusal();
        assert!(told.contains(&format!("billing/{name} is a link to ")) && told.contains("add -f"), "{told}");
        assert!(!told.contains("s3cr3t-value") && !told.contains("root:"), "{told}");
    }
}

/// Class: a link to a directory leads out, or to the same files twice. Source: CVE-2022-24348; kubectl#1603 and kustomize#1886
/// (kubectl follows none).
#[test]
fn no_link_to_a_directory_is_followed() {
    for target in ["/", "../..", "..", "../outside"] {
        let repository = Repository::new();
        fs::create_dir(repository.at("outside")).unwrap();
        fs::write(repository.at("outside/wrong.yaml"), "apiVersion: payg-operator.io/v1alpha1\nkind: Wrong\n").unwrap();
        for name in ["x", "x.yaml"] {
            symlink(target, repository.at(&format!("billing/{name}"))).unwrap();
        }
        let output = plan(&repository.at("billing"));
        assert!(output.status.success(), "{}", stderr(&output));
        assert_eq!(stderr(&output).lines().count(), 1, "{}", stderr(&output));
        assert!(stderr(&output).contains("Valid manifests of payg-operator.io: 2"), "{}", stderr(&output));
    }
}

/// Class: links that lead in a circle. Source: CWE-59 and CWE-835, <https://cwe.mitre.org/data/definitions/835.html>.
#[test]
fn links_in_a_circle_are_gone_through_once() {
    let repository = Repository::new();
    symlink("..", repository.at("billing/team-a/up")).unwrap();
    symlink(".", repository.at("billing/here")).unwrap();
    for (one, other) in [("a", "b"), ("b", "a")] {
        fs::create_dir(repository.at(&format!("billing/{one}"))).unwrap();
        symlink(format!("../{other}"), repository.at(&format!("billing/{one}/to-{other}"))).unwrap();
    }
    let output = plan(&repository.at("billing"));
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(stderr(&output).contains("Valid manifests of payg-operator.io: 2"), "{}", stderr(&output));
    symlink("itself.yaml", repository.at("billing/itself.yaml")).unwrap();
    assert!(repository.refusal().contains("billing/itself.yaml cannot be read"), "{}", repository.refusal());
}

/// Class: a FIFO or a socket is waited for. Source: CWE-73, CVE-2022-24877 (Flux, files of a repository's choice).
#[test]
fn a_plan_waits_for_no_fifo_and_no_socket() {
    let repository = Repository::new();
    fifo(&repository.at("billing/x.yaml"));
    assert!(repository.refusal().contains("billing/x.yaml is not a regular file"), "{}", repository.refusal());
    fs::remove_file(repository.at("billing/x.yaml")).unwrap();
    let _socket = UnixListener::bind(repository.at("billing/x.yaml")).unwrap();
    assert!(repository.refusal().contains("billing/x.yaml is not a regular file"), "{}", repository.refusal());
}

/// Class: a device without an end is read. Source: CVE-2022-24877; CWE-770.
#[test]
fn a_plan_reads_no_device() {
    let repository = Repository::new();
    symlink("/dev/zero", repository.at("billing/x.yaml")).unwrap();
    assert!(repository.refusal().contains("is a link to /dev/zero"), "{}", repository.refusal());
    let told = refused(&plan(Path::new("/dev/zero")));
    assert!(told.contains("/dev/zero is not a regular file"), "{told}");
}

/// Class: a file takes all memory. Source: CVE-2022-31016 (Argo CD, a large manifest ends the repository server).
#[test]
fn a_large_file_is_refused_and_not_held() {
    let repository = Repository::new();
    let line = format!("# {}\n", "x".repeat(1021));
    fs::write(repository.at("billing/large.yaml"), line.repeat(100 << 10)).unwrap();
    assert_eq!(fs::metadata(repository.at("billing/large.yaml")).unwrap().len(), 100 << 20);
    assert!(repository.refusal().contains("large.yaml is larger than 8 MiB"), "{}", repository.refusal());
    fs::remove_file(repository.at("billing/large.yaml")).unwrap();
    let part = line.repeat(7 << 10);
    for number in 0..12 {
        fs::write(repository.at(&format!("billing/{number}.yaml")), &part).unwrap();
    }
    assert!(repository.refusal().contains("more than 64 MiB of manifests"), "{}", repository.refusal());
}

/// Class: what is right is refused, too. Source: Kubernetes mounts the files of a ConfigMap as links through `..data`,
/// <https://kubernetes.io/docs/concepts/configuration/configmap/>.
#[test]
fn links_that_stay_inside_are_followed() {
    let repository = Repository::new();
    fs::rename(repository.at("billing/team-a"), repository.at("billing/..2026_11_30")).unwrap();
    symlink("..2026_11_30", repository.at("billing/..data")).unwrap();
    for name in ["0.yaml", "1.yaml"] {
        symlink(format!("..data/{name}"), repository.at(&format!("billing/{name}"))).unwrap();
    }
    let output = plan(&repository.at("billing"));
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(stderr(&output).contains("Valid manifests of payg-operator.io: 2"), "{}", stderr(&output));
}

/// Class: a file is written through a link. Source: CVE-2019-11249 and CVE-2019-11246 (`kubectl cp`).
#[test]
fn nothing_is_written_through_a_link() {
    for (command, file) in [("crds", "subscriptions.payg-operator.io.yaml"), ("man", "payg-plan.1")] {
        let repository = Repository::new();
        let (dir, victim) = (repository.at("out"), repository.at("victim"));
        fs::create_dir(&dir).unwrap();
        let write = || Command::new("timeout").args(["60", PAYG, command, "--dir"]).arg(&dir).output().unwrap();
        assert!(write().status.success() && write().status.success(), "what it wrote itself, it writes anew");
        fs::remove_file(dir.join(file)).unwrap();
        fs::write(&victim, "mine").unwrap();
        symlink(&victim, dir.join(file)).unwrap();
        let told = refused(&write());
        assert!(told.contains(file) && told.contains("delete it first"), "{told}");
        assert_eq!(fs::read_to_string(&victim).unwrap(), "mine");
        fs::remove_file(dir.join(file)).unwrap();
        fifo(&dir.join(file));
        assert!(refused(&write()).contains("delete it first"));
        assert!(fs::metadata(dir.join(file)).unwrap().file_type().is_fifo());
    }
}

/// Class: an action of a pipeline is changed under its tag. Source: CVE-2025-30066 (tj-actions/changed-files).
#[test]
fn every_action_is_named_by_its_revision() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut actions = 0;
    for dir in [".github/workflows", "deploy/pipelines"] {
        for file in fs::read_dir(root.join(dir)).unwrap().map(|entry| entry.unwrap().path()) {
            let text = fs::read_to_string(&file).unwrap();
            for uses in text.lines().filter_map(|line| line.trim_start_matches([' ', '-']).strip_prefix("uses: ")) {
                let revision = uses.split(['@', ' ']).nth(1).unwrap_or_default();
                let is_revision = revision.len() == 40 && revision.chars().all(|digit| digit.is_ascii_hexdigit());
                assert!(is_revision && uses.contains(" # v"), "{}: {uses}", file.display());
                actions += 1;
            }
        }
    }
    assert!(actions > 8, "only {actions} were found");
}

/// Class: a token lies where a job's artifacts and caches are taken from. Source: CWE-538; GitLab,
/// <https://docs.gitlab.com/ci/secrets/id_token_authentication/>.
#[test]
fn the_sample_pipelines_keep_their_tokens_out_of_the_checkout() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/pipelines");
    let gitlab = fs::read_to_string(root.join("gitlab.yaml")).unwrap();
    assert!(!gitlab.contains("CI_PROJECT_DIR") && gitlab.contains("mktemp"), "{gitlab}");
    let github = fs::read_to_string(root.join("github.yaml")).unwrap();
    assert!(github.contains("persist-credentials: false") && !github.contains("GITHUB_WORKSPACE"), "{github}");
    let nothing_else = json!({"contents": "read", "id-token": "write"});
    let workflow: serde_json::Value = serde_saphyr::from_str(&github).unwrap();
    assert_eq!(workflow["permissions"], nothing_else);
}
