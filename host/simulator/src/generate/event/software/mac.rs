//! macOS.

use super::Account::{System, User};
use super::{Catalog, Listed, Maker};

const DEFENDER: &str = "/Applications/Microsoft Defender.app/Contents/MacOS";
const CHROME: &str = "/Applications/Google Chrome.app/Contents/MacOS";
const HELPERS: &str = "/Applications/Google Chrome.app/Contents/Frameworks/Google Chrome Framework.framework/Versions/133.0.6943.142/Helpers/Google Chrome Helper (Renderer).app/Contents/MacOS";

const APPLE: Maker = Maker {
    company: "",
    product: "",
    version: "",
    signer: Some(["Software Signing", "Apple Code Signing Certification Authority"]),
};
const MICROSOFT: Maker = Maker {
    signer: Some([
        "Developer ID Application: Microsoft Corporation (UBF8T346G9)",
        "Developer ID Certification Authority",
    ]),
    ..APPLE
};
const GOOGLE: Maker = Maker {
    signer: Some(["Developer ID Application: Google LLC (EQHXZ8M8AV)", "Developer ID Certification Authority"]),
    ..APPLE
};
const UNSIGNED: Maker = Maker { signer: None, ..APPLE };

pub(super) const CATALOG: Catalog = Catalog { residents: RESIDENTS, started: STARTED, libraries: &[] };

const RESIDENTS: &[Listed] = &[
    Listed::new(["launchd", "/sbin"], APPLE, "", System, "", &["/sbin/launchd"]),
    Listed::new(
        ["wdavdaemon_enterprise", DEFENDER],
        MICROSOFT,
        "",
        System,
        "launchd",
        &["/Applications/Microsoft Defender.app/Contents/MacOS/wdavdaemon_enterprise edr 15 14 --log_level info"],
    ),
    Listed::new(["syspolicyd", "/usr/libexec"], APPLE, "", System, "launchd", &["/usr/libexec/syspolicyd"]),
    Listed::new(
        ["Finder", "/System/Library/CoreServices/Finder.app/Contents/MacOS"],
        APPLE,
        "",
        User,
        "launchd",
        &["/System/Library/CoreServices/Finder.app/Contents/MacOS/Finder"],
    ),
    Listed::new(
        ["Google Chrome", CHROME],
        GOOGLE,
        "",
        User,
        "launchd",
        &["/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"],
    ),
    Listed::new(["zsh", "/bin"], APPLE, "", User, "Finder", &["-zsh"]),
];

const STARTED: &[Listed] = &[
    Listed::new(
        ["zsh", "/bin"],
        APPLE,
        "",
        User,
        "zsh",
        &["/bin/zsh -c 'brew update && brew outdated --json=v2'", "/bin/zsh --login -i"],
    ),
    Listed::new(
        ["bash", "/bin"],
        APPLE,
        "",
        System,
        "launchd",
        &[
            "/bin/bash /Library/Management/scripts/inventory.sh --upload=https://mdm.contoso.com/report --device '{host}'",
        ],
    ),
    Listed::new(
        ["curl", "/usr/bin"],
        APPLE,
        "",
        User,
        "zsh",
        &[
            "curl -fsSL https://cdn-updates.example.org/{hex} -o /private/tmp/.{hex}",
            r#"curl --silent --header "Accept: application/json" https://api.contoso.com/v1/status?id={hex}&q=a+b"#,
        ],
    ),
    Listed::new(
        ["Google Chrome Helper (Renderer)", HELPERS],
        GOOGLE,
        "",
        User,
        "Google Chrome",
        &[
            "/Applications/Google Chrome.app/Contents/Frameworks/Google Chrome Framework.framework/Versions/133.0.6943.142/Helpers/Google Chrome Helper (Renderer).app/Contents/MacOS/Google Chrome Helper (Renderer) --type=renderer --user-data-dir=/Users/{user}/Library/Application Support/Google/Chrome --lang=en-US --num-raster-threads=4 --enable-zero-copy --enable-gpu-memory-buffer-compositor-resources --renderer-client-id={number} --time-ticks-at-unix-epoch=-{number} --shared-files --field-trial-handle={number},r,{number},{number},262144 --variations-seed-version",
        ],
    ),
    Listed::new(
        [
            "mdworker_shared",
            "/System/Library/Frameworks/CoreServices.framework/Versions/A/Frameworks/Metadata.framework/Versions/A/Support",
        ],
        APPLE,
        "",
        User,
        "launchd",
        &[
            "/System/Library/Frameworks/CoreServices.framework/Frameworks/Metadata.framework/Versions/A/Support/mdworker_shared -s mdworker -c MDSImporterWorker -m com.apple.mdworker.shared",
        ],
    ),
    Listed::new(
        ["osascript", "/usr/bin"],
        APPLE,
        "",
        User,
        "Finder",
        &[r#"osascript -e 'display dialog "Zoë’s Mac needs your password" default answer "" with hidden answer'"#],
    ),
    Listed::new(
        ["security", "/usr/bin"],
        APPLE,
        "",
        User,
        "zsh",
        &["security find-certificate -a -p /System/Library/Keychains/SystemRootCertificates.keychain"],
    ),
    Listed::new(
        ["python3.13", "/opt/homebrew/Cellar/python@3.13/3.13.2/Frameworks/Python.framework/Versions/3.13/bin"],
        UNSIGNED,
        "",
        User,
        "zsh",
        &["python3 -m http.server 8080 --directory /Users/{user}/Sites"],
    ),
    Listed::new(
        ["xpcproxy", "/usr/libexec"],
        APPLE,
        "",
        System,
        "launchd",
        &["xpcproxy com.apple.mdmclient.daemon.runatboot"],
    ),
];
