// swift-tools-version: 6.2

import PackageDescription

let strict: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .treatAllWarnings(as: .error),
]

// The request path's own. Exclusive access is checked at run time in debug builds, where all tests run; in release
// those checks are a twelfth of our instructions (docs/performance.md).
let fast: [SwiftSetting] =
  strict + [.unsafeFlags(["-enforce-exclusivity=unchecked"], .when(configuration: .release))]

// C that reads what others write. SysV is a library that others may depend on, which flags like these forbid: its C has
// no buffer that is filled from outside.
let hardened: [CSetting] = [
  .unsafeFlags(["-fstack-protector-strong"]), .define("_FORTIFY_SOURCE", to: "2", .when(configuration: .release)),
]

// Nothing that the loader fills in can be written afterwards. That addresses differ each time (PIE) is Swift's default.
let sealed: [LinkerSetting] = [
  .unsafeFlags(["-Xlinker", "-z", "-Xlinker", "relro", "-Xlinker", "-z", "-Xlinker", "now"])
]

// Where Tests is left out, as in the image, so are its targets. Not found out by looking: the package manager remembers
// what this file came to.
let tests: [Target] =
  Context.environment["LEASEHOLD_SOURCES_ONLY"] != nil
  ? []
  : [
    .testTarget(
      name: "PHPVariablesTests", dependencies: ["JSONText", "PHPVariables"], swiftSettings: strict),
    .executableTarget(
      name: "leasehold-fuzz", dependencies: ["PHPVariables"], path: "Tests/Fuzz",
      exclude: ["README.md", "corpus.txt"], swiftSettings: strict),
    .testTarget(name: "JSONTextTests", dependencies: ["JSONText"], swiftSettings: strict),
    .testTarget(
      name: "LeaseholdQueueTests", dependencies: ["LeaseholdQueue", "LeaseholdTestKit"], swiftSettings: strict),
    .testTarget(name: "LeaseholdHostTests", dependencies: ["LeaseholdHost"], swiftSettings: strict),
    // Threads, processes and users for the tests of what asks the kernel.
    .target(
      name: "HostTestKit", dependencies: [.product(name: "SystemPackage", package: "swift-system")],
      path: "Tests/HostTestKit", swiftSettings: strict),
    .testTarget(name: "SysVTests", dependencies: ["HostTestKit", "SysV", "SysVTypes"], swiftSettings: strict),
    .testTarget(
      name: "LeaseholdTests", dependencies: ["Leasehold", "LeaseholdTestKit", "SysVTypes"],
      exclude: ["Simulation/StoresAndSemops.txt"], swiftSettings: strict),
    .testTarget(
      name: "LeaseholdLocalTests",
      dependencies: ["HostTestKit", "LeaseholdHost", "LeaseholdLocal", "LeaseholdTestKit", "PHPVariables", "SysV"],
      swiftSettings: strict),
    .testTarget(
      name: "LeaseholdHTTPTests",
      dependencies: ["JSONText", "LeaseholdHost", "LeaseholdHTTP", "LeaseholdTestKit", "SysVTypes"],
      swiftSettings: strict),
    // The daemon is started by the live tests.
    .testTarget(
      name: "LeaseholdClientTests", dependencies: ["HTTPExchange", "LeaseholdClient", "LeaseholdHost", "leasehold"],
      swiftSettings: strict),
    // What drives the client in clients/conformance and in clients/swift/test.
    .executableTarget(
      name: "leasehold-client-driver", dependencies: ["LeaseholdClient"], path: "Tests/ClientDriver",
      swiftSettings: strict),
    // Those that need an etcd start one.
    .testTarget(
      name: "EtcdTests",
      dependencies: [
        "EtcdGateway", "HTTPExchange", "JSONText", "Leasehold", "LeaseholdEtcd", "LeaseholdHost", "LeaseholdQueue",
        "LeaseholdTestKit",
      ], swiftSettings: strict),
    .testTarget(
      name: "SettingsTests",
      dependencies: ["JSONText", "leasehold", "LeaseholdClient", "LeaseholdHTTP", "LeaseholdLocal"],
      swiftSettings: strict),
  ]

let package = Package(
  name: "leasehold",
  products: [
    .executable(name: "leasehold", targets: ["leasehold"]),
    .library(name: "SysV", targets: ["SysV"]),
    .library(name: "PHPVariables", targets: ["PHPVariables"]),
    .library(name: "Leasehold", targets: ["Leasehold", "LeaseholdLocal"]),
    .library(name: "LeaseholdClient", targets: ["LeaseholdClient"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
    .package(url: "https://github.com/apple/swift-system", from: "1.8.0"),
  ],
  targets: [
    // C fences: each is imported by exactly one place (see Tests/Tidy).
    .target(
      name: "CSysV", exclude: ["DESIGN.md"],
      cSettings: [.define("_FORTIFY_SOURCE", to: "2", .when(configuration: .release))]),
    .target(name: "CEarlyAnswer", exclude: ["DESIGN.md"], cSettings: hardened),
    .target(name: "CSupervise", exclude: ["DESIGN.md"], cSettings: hardened),
    .target(name: "CHost", exclude: ["DESIGN.md"], cSettings: hardened),
    .target(name: "CBuild", exclude: ["DESIGN.md"], cSettings: hardened),
    .target(name: "COpenAPI", exclude: ["DESIGN.md", "openapi.yaml", "reference.html"]),
    .target(
      name: "CDashboard",
      exclude: [
        "DESIGN.md", "page.html", "style.css", "service.js", "list.js", "lock.js", "activity.js", "kernel.js",
        "main.js",
      ]),
    .target(name: "CLazyLibrary", exclude: ["DESIGN.md"], cSettings: hardened),
    // Of Debian's libmicrohttpd-dev and libgnutls28-dev; the libraries are loaded when they are needed.
    .target(
      name: "CMicroHTTPD", dependencies: ["CLazyLibrary"], exclude: ["DESIGN.md"], cSettings: hardened),
    .target(
      name: "CGnuTLS", dependencies: ["CLazyLibrary"], exclude: ["DESIGN.md"], cSettings: hardened),

    // The values of System V IPC: operations, keys, permissions.
    .target(name: "SysVTypes", exclude: ["DESIGN.md"], swiftSettings: fast),

    // Typed System V IPC; useful to anybody.
    .target(
      name: "SysV",
      dependencies: ["CSysV", "SysVTypes", .product(name: "SystemPackage", package: "swift-system")],
      exclude: ["DESIGN.md"], swiftSettings: strict),

    // Threads, clocks, epoll and pools.
    .target(name: "LeaseholdHost", dependencies: ["CHost"], exclude: ["DESIGN.md"], swiftSettings: fast),

    // JSON: words with their places, values, and escaping.
    .target(name: "JSONText", exclude: ["DESIGN.md"], swiftSettings: fast),

    // PHP's serialize() and the layout of sysvshm: pure, useful to anybody.
    .target(name: "PHPVariables", dependencies: ["JSONText"], exclude: ["DESIGN.md"], swiftSettings: strict),

    // The domain: no C, no I/O, no clock of its own.
    .target(name: "Leasehold", dependencies: ["SysVTypes"], exclude: ["DESIGN.md"], swiftSettings: fast),

    // The queue of a lock that several servers share, as rules: pure, and without a word of the store.
    .target(name: "LeaseholdQueue", dependencies: ["JSONText"], exclude: ["DESIGN.md"], swiftSettings: strict),

    // The lock service of one host.
    .target(
      name: "LeaseholdLocal",
      dependencies: [
        "Leasehold", "LeaseholdHost", "PHPVariables", "SysV", "SysVTypes",
        .product(name: "SystemPackage", package: "swift-system"),
        .product(name: "Logging", package: "swift-log"),
      ],
      exclude: ["DESIGN.md"], swiftSettings: fast),

    // HTTP over the domain; knows no semaphore.
    .target(
      name: "LeaseholdHTTP",
      dependencies: [
        "CDashboard", "CEarlyAnswer", "CGnuTLS", "CMicroHTTPD", "COpenAPI", "JSONText", "Leasehold",
        "LeaseholdHost", "PHPVariables", "SysVTypes",
        .product(name: "Logging", package: "swift-log"),
      ],
      exclude: ["DESIGN.md"], swiftSettings: fast),

    // The same engine, slow and unreliable, for live tests of a debug build; empty in a release build.
    .target(
      name: "LeaseholdDelays", dependencies: ["Leasehold", "LeaseholdHost"], exclude: ["DESIGN.md"],
      swiftSettings: strict),

    // HTTP/1.1 from the asking side: sockets, TLS, answers. Knows nobody who answers.
    .target(
      name: "HTTPExchange", dependencies: ["CGnuTLS", "LeaseholdHost"], exclude: ["DESIGN.md"],
      swiftSettings: strict),

    // etcd's JSON gateway as typed calls; knows nothing of locks.
    .target(
      name: "EtcdGateway", dependencies: ["HTTPExchange", "JSONText", "LeaseholdHost"], exclude: ["DESIGN.md"],
      swiftSettings: strict),

    // The lock service of several hosts, kept in etcd.
    .target(
      name: "LeaseholdEtcd",
      dependencies: ["EtcdGateway", "HTTPExchange", "Leasehold", "LeaseholdHost", "LeaseholdQueue"],
      exclude: ["DESIGN.md"], swiftSettings: strict),

    // What programs that take locks use; knows nothing of the service but its HTTP.
    .target(
      name: "LeaseholdClient", dependencies: ["HTTPExchange", "JSONText", "LeaseholdHost"], exclude: ["DESIGN.md"],
      swiftSettings: strict),

    .executableTarget(
      name: "leasehold",
      dependencies: [
        "CBuild", "CSupervise", "JSONText", "LeaseholdClient", "LeaseholdDelays", "LeaseholdEtcd", "LeaseholdHost",
        "LeaseholdLocal", "LeaseholdHTTP", "Leasehold", "SysV", "SysVTypes",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "Logging", package: "swift-log"),
      ],
      exclude: ["DESIGN.md"], swiftSettings: strict, linkerSettings: sealed),

    // Manual clock, simulated kernel, the conformance suite.
    .target(
      name: "LeaseholdTestKit", dependencies: ["Leasehold", "SysVTypes"], exclude: ["DESIGN.md"],
      swiftSettings: strict),
  ] + tests
)
