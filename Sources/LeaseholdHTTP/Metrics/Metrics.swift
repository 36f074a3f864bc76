import Glibc
import Leasehold
import LeaseholdHost
import SysVTypes

/// The numbers of `/metrics`, in the Prometheus text format 0.0.4.
struct Metrics: ~Copyable {
  private let server: Server
  private let status: ServiceStatus
  private var text: ResponseBuffer

  /// All of them, as they are now.
  static func text(of server: Server, capacity: Int) -> ResponseBuffer {
    var metrics = Metrics(
      server: server, status: server.engine.life.status(), text: ResponseBuffer(capacity: capacity))
    metrics.write()
    return metrics.text
  }

  private mutating func write() {
    leases()
    if let figures = status.ledger { ledger(figures) }
    if let figures = status.cluster { cluster(figures) }
    kernel()
    http()
    process()
  }

  private mutating func leases() {
    let counters = status.counters
    family("leasehold_build_info", "Always 1; the labels tell the versions.")
    text.append("leasehold_build_info{version=\"\(server.options.versions.leasehold)\",")
    text.append("swift=\"\(server.options.versions.swift)\",libmicrohttpd=\"\(libmicrohttpdVersion())\"} 1\n")
    several(
      "leasehold_acquires_total", "Acquires by how they ended.", "outcome",
      [
        ("granted", counters.granted), ("replayed", counters.replayed), ("busy", counters.busy),
        ("timed_out", counters.timedOut), ("canceled", counters.canceled),
        ("superseded", counters.superseded), ("refused", counters.refused),
      ])
    several(
      "leasehold_leases_ended_total", "Leases that ended, by reason.", "reason",
      EndReason.allCases.map { ($0.label, counters.ended[Int($0.rawValue)]) })
    several(
      "leasehold_stops_total", "Signals to processes of leases with stop=term.", "signal",
      Array(zip(["TERM", "KILL"], counters.stops)))
    single("leasehold_renewals_total", "Renewals of leases.", counters.renewed)
    single("leasehold_conversions_total", "Leases that became readers or writers.", counters.converted)
    single("leasehold_resizes_total", "Locks that got another limit or other names of slots.", counters.resized)
    single(
      "leasehold_yields_total", "Holders that were asked to yield to a newer request of their group.", counters.yields)
    single("leasehold_deadlocks_total", "Waits refused as deadlocks.", counters.deadlocks)
    single(
      "leasehold_ready", "1 while new leases are granted and kept as promised.",
      status.state == .ready && status.neededFault == nil ? 1 : 0)
    seconds(
      "leasehold_clock_age_seconds", "How long ago the clock that ends leases turned.",
      server.engine.life.sinceClockTurned.nanoseconds)
    single("leasehold_leases", "Leases that somebody holds.", status.leases)
    single("leasehold_cooling_leases", "Leases that are over while their slots cool down.", status.cooling)
    single(
      "leasehold_kept_leases", "Those of the cooling leases that asked for a time at least (hold_at_least).",
      status.kept)
    single("leasehold_leases_max", "--max-leases.", server.limits.leases)
    single("leasehold_locks", "Locks that are known.", status.locks)
    single(
      "leasehold_damaged_locks", "Locks that grant nothing because somebody wrote their values.", status.damagedLocks)
    single("leasehold_waiters", "Acquires that wait.", status.waiters)
    single("leasehold_waiters_max", "--max-waiters.", server.limits.waiters)
    single("leasehold_holds", "Open answers of hold.", server.holds.count)
    histogram("leasehold_wait_seconds", "How long those who got a lease had queued.", counters.waits)
    histogram("leasehold_hold_seconds", "How long leases were held that are over.", counters.holds)
    seconds("leasehold_expiry_lag_seconds_total", "How late expiries were, in sum.", counters.expiryLagSum)
    seconds("leasehold_expiry_lag_seconds_max", "The latest expiry.", counters.expiryLagMax)
    single("leasehold_undo_failures_total", "Undos that the kernel refused.", counters.undoFailures)
    several(
      "leasehold_drift_total", "Values that did not add up, by kind.", "kind",
      DriftKind.allCases.map { ($0.name, counters.drift[Int($0.rawValue)]) })
    single("leasehold_sets_removed_total", "Our sets that others removed.", counters.setsRemoved)
    single(
      "leasehold_kernel_waits_total", "Waits handed to the kernel because native processes held units.",
      counters.kernelWaits)
  }

  private mutating func ledger(_ ledger: LedgerStatus) {
    single("leasehold_kernel_waiters", "Threads that wait in the kernel now.", ledger.pumps)
    single(
      "leasehold_operation_waiters", "Raw semaphore operations that wait in the kernel now.", ledger.operationWaiters)
    single("leasehold_bound_processes", "Processes and cgroups that leases are bound to.", ledger.processes)
    single(
      "leasehold_state_dir_failures_total", "Marks of fences that could not be written to --state-dir.",
      ledger.stateDirectoryFailures)
    single("leasehold_ledger_entries", "Records in use.", ledger.records)
    single("leasehold_ledger_capacity", "Records that fit.", ledger.recordCapacity)
    single("leasehold_ledger_entry_bytes", "Bytes of a record.", ledger.recordBytes)
    single("leasehold_semaphore_sets", "Sets that hold own locks.", ledger.banks)
    single("leasehold_last_fence", "The last fence handed out.", UInt64(clamping: ledger.lastFence))
    let recovery = ledger.recovery
    seconds("leasehold_recovery_seconds", "How long the last recovery took.", recovery.took.nanoseconds)
    single("leasehold_recovered_leases", "Leases the last recovery found.", recovery.leases)
    single(
      "leasehold_recovered_units", "Units of a dead daemon that the last recovery gave back.", recovery.unitsGivenBack)
    single("leasehold_ledger_damaged_entries", "Records the last recovery could not use.", recovery.damagedRecords)
    single("leasehold_suspect_slots", "Slots of foreign sets that the last daemon had half taken.", recovery.suspects)
  }

  private mutating func cluster(_ cluster: ClusterStatus) {
    single("leasehold_cluster_requests_total", "Requests to the cluster, repeated ones included.", cluster.requests)
    single(
      "leasehold_cluster_unknown_outcomes_total", "Changes of which the cluster did not say how they went.",
      cluster.unknownOutcomes)
    single(
      "leasehold_cluster_watch_restarts_total", "Times that the changes of others were followed anew.",
      cluster.watchRestarts)
  }

  private mutating func kernel() {
    // Metrics are answered at once, also where the engine may take its time.
    guard !server.engine.traits.mayBlock,
      let inventory = try? server.engine.semaphores?.semaphoreSets(from: 0, limit: 0)
    else { return }
    let (limits, usage) = (inventory.limits, inventory.usage)
    single("leasehold_kernel_semaphore_sets", "Sets in this IPC namespace.", usage.sets)
    single("leasehold_kernel_semaphore_sets_max", "SEMMNI.", limits.sets)
    single("leasehold_kernel_semaphores", "Semaphores in this IPC namespace.", usage.semaphores)
    single("leasehold_kernel_semaphores_max", "SEMMNS.", limits.semaphores)
  }

  private mutating func http() {
    family("leasehold_http_requests_total", "Requests by operation and class of status.")
    for row in 0...Endpoint.all.count {
      let operation = row < Endpoint.all.count ? "\(Endpoint.all[row].operation)" : "none"
      for (column, label) in ["2xx", "4xx", "5xx"].enumerated() {
        let count = server.counts.value(operation: row < Endpoint.all.count ? row : nil, column: column)
        guard count > 0 else { continue }
        text.append("leasehold_http_requests_total{operation=\"\(operation)\",status=\"\(label)\"} \(count)\n")
      }
    }
    durations()
    several(
      "leasehold_refusals_total", "Requests refused for who asked, by code.", "code",
      server.refusals.counts.map { ($0.rawValue, $1) })
    several(
      "leasehold_caller_limit_hits_total", "Requests for more than one caller may have.", "limit",
      CallerResource.allCases.map { ("\($0.setting)", server.accounts.hits(of: $0)) })
    single(
      "leasehold_refusal_lines_left_out_total", "Refusals that the log does not show, for their number.",
      server.refusals.budget.linesLeftOut)
    single(
      "leasehold_log_lines_dropped_total", "Lines that the log lost because nobody took them in time.",
      server.options.logLinesDropped())
    single("leasehold_http_active_requests", "Requests being answered, waiting ones included.", server.activeExchanges)
    single("leasehold_http_connections", "Open connections.", server.connections)
    single(
      "leasehold_http_refused_connections_total",
      "Connections that were one too many, for their caller, for the listener, or for the process.",
      server.listeners.sum(\.refusedConnections) + AcceptTroubles.turnedAway)
    single(
      "leasehold_http_repeated_answers_total",
      "Requests that libmicrohttpd answered a second time; each cost its connection.",
      EarlyAnswers.repeated)
    single("leasehold_lock_watchers", "Requests that wait for a lock to change.", server.longPolls.count)
    single("leasehold_event_subscribers", "Open answers of /events.", server.events.count)
    single(
      "leasehold_event_subscribers_dropped_total", "Answers of /events cut off because nobody read them.",
      server.events.withState { $0.dropped })
    single(
      "leasehold_http_dropped_streams_total", "Open answers cut off because nobody read them.",
      server.listeners.sum(\.droppedStreams))
  }

  private mutating func durations() {
    let name: StaticString = "leasehold_http_request_duration_seconds"
    family(
      name,
      "How long requests took until their answer was made or their stream began; those that had to wait are left out.",
      "histogram")
    for (row, endpoint) in Endpoint.all.enumerated() {
      for (column, status) in ["2xx", "4xx", "5xx"].enumerated() {
        guard let durations = server.counts.durations(operation: row, column: column) else { continue }
        let pair = "operation=\"\(endpoint.operation)\",status=\"\(status)\""
        buckets(name, pair, RequestCounts.bounds.map { Double($0) }, durations.counts, sum: Double(durations.sum))
      }
    }
  }

  private mutating func process() {
    var usage = rusage()
    getrusage(RUSAGE_SELF.rawValue, &usage)
    seconds("process_cpu_seconds_total", "CPU time of this process.", HostClock.processorTime())
    single("process_resident_memory_max_bytes", "The most memory that was resident.", UInt64(usage.ru_maxrss) * 1024)
  }

  /// Begins a family: what has no other type is a counter where its name says so, and a gauge elsewhere.
  private mutating func family(_ name: StaticString, _ help: StaticString, _ type: StaticString? = nil) {
    let type = type ?? ("\(name)".hasSuffix("_total") ? "counter" : "gauge")
    text.append("# HELP \(name) \(help)\n# TYPE \(name) \(type)\n")
  }

  private mutating func single(_ name: StaticString, _ help: StaticString, _ value: some BinaryInteger) {
    family(name, help)
    text.append("\(name) \(value)\n")
  }

  /// A family with one label.
  private mutating func several(
    _ name: StaticString, _ help: StaticString, _ label: StaticString, _ values: [(String, UInt64)]
  ) {
    family(name, help)
    for (value, count) in values { text.append("\(name){\(label)=\"\(value)\"} \(count)\n") }
  }

  private mutating func histogram(_ name: StaticString, _ help: StaticString, _ histogram: SpanHistogram) {
    family(name, help, "histogram")
    buckets(name, "", SpanHistogram.bounds.map { Double($0) }, Array(histogram.counts), sum: Double(histogram.sum))
  }

  /// The counts up to each bound and beyond them all, with a pair of labels or none; bounds and sum in nanoseconds.
  private mutating func buckets(
    _ name: StaticString, _ pair: String, _ bounds: [Double], _ counts: [UInt64], sum: Double
  ) {
    var count: UInt64 = 0
    for (place, number) in counts.enumerated() {
      count += number
      let bound = place < bounds.count ? "\(bounds[place] / 1e9)" : "+Inf"
      text.append("\(name)_bucket{\(pair)\(pair.isEmpty ? "" : ",")le=\"\(bound)\"} \(count)\n")
    }
    let labels = pair.isEmpty ? "" : "{\(pair)}"
    text.append("\(name)_sum\(labels) \(sum / 1e9)\n\(name)_count\(labels) \(count)\n")
  }

  private mutating func seconds(_ name: StaticString, _ help: StaticString, _ nanoseconds: Int64) {
    family(name, help)
    text.append("\(name) \(Double(nanoseconds) / 1e9)\n")
  }
}

extension EndReason {
  /// The label's value: words joined by underscores.
  fileprivate var label: String { name == "ttl" ? "expired" : String(name.map { $0 == "-" ? "_" : $0 }) }
}
