import Glibc
import Leasehold
import LeaseholdHost
import SysVTypes

/// The numbers of `/metrics`, in the Prometheus text format 0.0.4.
struct Metrics {
  private let server: Server
  private let status: ServiceStatus

  init(_ server: Server) {
    self.server = server
    status = server.engine.life.status()
  }

  func write(into text: inout ResponseBuffer) {
    leases(&text)
    if let figures = status.ledger { ledger(figures, &text) }
    if let figures = status.cluster { cluster(figures, &text) }
    kernel(&text)
    http(&text)
    process(&text)
  }

  private func leases(_ text: inout ResponseBuffer) {
    let counters = status.counters
    family("leasehold_build_info", "gauge", "Always 1; the labels tell the versions.", &text)
    text.append("leasehold_build_info{version=\"\(server.versions.leasehold)\",")
    text.append("swift=\"\(server.versions.swift)\",libmicrohttpd=\"\(libmicrohttpdVersion())\"} 1\n")
    family("leasehold_acquires_total", "counter", "Acquires by how they ended.", &text)
    let outcomes: [(StaticString, UInt64)] = [
      ("granted", counters.granted), ("replayed", counters.replayed), ("busy", counters.busy),
      ("timed_out", counters.timedOut), ("canceled", counters.canceled),
      ("superseded", counters.superseded), ("refused", counters.refused),
    ]
    for (outcome, count) in outcomes { text.append("leasehold_acquires_total{outcome=\"\(outcome)\"} \(count)\n") }
    family("leasehold_leases_ended_total", "counter", "Leases that ended, by reason.", &text)
    for reason in EndReason.allCases {
      let count = counters.ended[Int(reason.rawValue)]
      text.append("leasehold_leases_ended_total{reason=\"\(reason.label)\"} \(count)\n")
    }
    family("leasehold_stops_total", "counter", "Signals to processes of leases with stop=term.", &text)
    for (signal, count) in zip(["TERM", "KILL"], counters.stops) {
      text.append("leasehold_stops_total{signal=\"\(signal)\"} \(count)\n")
    }
    single("leasehold_renewals_total", "counter", "Renewals of leases.", counters.renewed, &text)
    single(
      "leasehold_conversions_total", "counter", "Leases that became readers or writers.", counters.converted, &text)
    single(
      "leasehold_resizes_total", "counter", "Locks that got another limit or other names of slots.", counters.resized,
      &text)
    single(
      "leasehold_yields_total", "counter", "Holders that were asked to yield to a newer request of their group.",
      counters.yields, &text)
    single("leasehold_deadlocks_total", "counter", "Waits refused as deadlocks.", counters.deadlocks, &text)
    single(
      "leasehold_ready", "gauge", "1 while new leases are granted and kept as promised.",
      status.state == .ready && status.neededFault == nil ? 1 : 0, &text)
    seconds(
      "leasehold_clock_age_seconds", "gauge", "How long ago the clock that ends leases turned.",
      server.engine.life.sinceClockTurned.nanoseconds, &text)
    single("leasehold_leases", "gauge", "Leases that somebody holds.", UInt64(status.leases), &text)
    single(
      "leasehold_cooling_leases", "gauge", "Leases that are over while their slots cool down.", UInt64(status.cooling),
      &text)
    single(
      "leasehold_kept_leases", "gauge", "Those of the cooling leases that asked for a time at least (hold_at_least).",
      UInt64(status.kept), &text)
    single("leasehold_leases_max", "gauge", "--max-leases.", UInt64(server.limits.leases), &text)
    single("leasehold_locks", "gauge", "Locks that are known.", UInt64(status.locks), &text)
    single(
      "leasehold_damaged_locks", "gauge", "Locks that grant nothing because somebody wrote their values.",
      UInt64(status.damagedLocks), &text)
    single("leasehold_waiters", "gauge", "Acquires that wait.", UInt64(status.waiters), &text)
    single("leasehold_waiters_max", "gauge", "--max-waiters.", UInt64(server.limits.waiters), &text)
    single("leasehold_holds", "gauge", "Open answers of hold.", UInt64(server.holds.count), &text)
    histogram("leasehold_wait_seconds", "How long those who got a lease had queued.", counters.waits, &text)
    histogram("leasehold_hold_seconds", "How long leases were held that are over.", counters.holds, &text)
    seconds(
      "leasehold_expiry_lag_seconds_total", "counter", "How late expiries were, in sum.", counters.expiryLagSum, &text)
    seconds("leasehold_expiry_lag_seconds_max", "gauge", "The latest expiry.", counters.expiryLagMaximum, &text)
    single("leasehold_undo_failures_total", "counter", "Undos that the kernel refused.", counters.undoFailures, &text)
    family("leasehold_drift_total", "counter", "Values that did not add up, by kind.", &text)
    for kind in DriftKind.allCases {
      text.append("leasehold_drift_total{kind=\"\(kind.name)\"} \(counters.drift[Int(kind.rawValue)])\n")
    }
    single("leasehold_sets_removed_total", "counter", "Our sets that others removed.", counters.setsRemoved, &text)
    single(
      "leasehold_kernel_waits_total", "counter", "Waits handed to the kernel because native processes held units.",
      counters.kernelWaits, &text)
  }

  private func ledger(_ ledger: LedgerStatus, _ text: inout ResponseBuffer) {
    single("leasehold_kernel_waiters", "gauge", "Threads that wait in the kernel now.", UInt64(ledger.pumps), &text)
    single(
      "leasehold_operation_waiters", "gauge", "Raw semaphore operations that wait in the kernel now.",
      UInt64(ledger.operationWaiters), &text)
    single(
      "leasehold_bound_processes", "gauge", "Processes and cgroups that leases are bound to.", UInt64(ledger.processes),
      &text)
    single(
      "leasehold_state_dir_failures_total", "counter", "Marks of fences that could not be written to --state-dir.",
      ledger.stateDirectoryFailures, &text)
    single("leasehold_ledger_entries", "gauge", "Records in use.", UInt64(ledger.records), &text)
    single("leasehold_ledger_capacity", "gauge", "Records that fit.", UInt64(ledger.recordCapacity), &text)
    single("leasehold_ledger_entry_bytes", "gauge", "Bytes of a record.", UInt64(ledger.recordBytes), &text)
    single("leasehold_semaphore_sets", "gauge", "Sets that hold own locks.", UInt64(ledger.banks), &text)
    single("leasehold_last_fence", "gauge", "The last fence handed out.", UInt64(clamping: ledger.lastFence), &text)
    let recovery = ledger.recovery
    seconds("leasehold_recovery_seconds", "gauge", "How long the last recovery took.", recovery.took.nanoseconds, &text)
    single("leasehold_recovered_leases", "gauge", "Leases the last recovery found.", UInt64(recovery.leases), &text)
    single(
      "leasehold_recovered_units", "gauge", "Units of a dead daemon that the last recovery gave back.",
      UInt64(recovery.unitsGivenBack), &text)
    single(
      "leasehold_ledger_damaged_entries", "gauge", "Records the last recovery could not use.",
      UInt64(recovery.damagedRecords), &text)
    single(
      "leasehold_suspect_slots", "gauge",
      "Slots of foreign sets that the last daemon had half taken.",
      UInt64(recovery.suspects), &text)
  }

  private func cluster(_ cluster: ClusterStatus, _ text: inout ResponseBuffer) {
    single(
      "leasehold_cluster_requests_total", "counter", "Requests to the cluster, repeated ones included.",
      cluster.requests, &text)
    single(
      "leasehold_cluster_unknown_outcomes_total", "counter", "Changes of which the cluster did not say how they went.",
      cluster.unknownOutcomes, &text)
    single(
      "leasehold_cluster_watch_restarts_total", "counter", "Times that the changes of others were followed anew.",
      cluster.watchRestarts, &text)
  }

  private func kernel(_ text: inout ResponseBuffer) {
    // Metrics are answered at once, also where the engine may take its time.
    guard !server.engine.traits.mayBlock,
      let inventory = try? server.engine.semaphores?.semaphoreSets(from: 0, limit: 0)
    else { return }
    let (limits, usage) = (inventory.limits, inventory.usage)
    single("leasehold_kernel_semaphore_sets", "gauge", "Sets in this IPC namespace.", UInt64(usage.sets), &text)
    single("leasehold_kernel_semaphore_sets_max", "gauge", "SEMMNI.", UInt64(limits.sets), &text)
    single("leasehold_kernel_semaphores", "gauge", "Semaphores in this IPC namespace.", UInt64(usage.semaphores), &text)
    single("leasehold_kernel_semaphores_max", "gauge", "SEMMNS.", UInt64(limits.semaphores), &text)
  }

  private func http(_ text: inout ResponseBuffer) {
    family("leasehold_http_requests_total", "counter", "Requests by operation and class of status.", &text)
    for row in 0...Endpoint.all.count {
      let operation = row < Endpoint.all.count ? "\(Endpoint.all[row].operation)" : "none"
      for (column, label) in ["2xx", "4xx", "5xx"].enumerated() {
        let count = server.counts.value(operation: row < Endpoint.all.count ? row : nil, column: column)
        guard count > 0 else { continue }
        text.append("leasehold_http_requests_total{operation=\"\(operation)\",status=\"\(label)\"} \(count)\n")
      }
    }
    durations(&text)
    family("leasehold_refusals_total", "counter", "Requests refused for who asked, by code.", &text)
    for (code, count) in server.refusals.counts {
      text.append("leasehold_refusals_total{code=\"\(code.rawValue)\"} \(count)\n")
    }
    family("leasehold_caller_limit_hits_total", "counter", "Requests for more than one caller may have.", &text)
    for resource in CallerResource.allCases {
      let count = server.accounts.hits.count(of: resource)
      text.append("leasehold_caller_limit_hits_total{limit=\"\(resource.setting)\"} \(count)\n")
    }
    single(
      "leasehold_refusal_lines_left_out_total", "counter", "Refusals that the log does not show, for their number.",
      server.refusals.linesLeftOut, &text)
    single(
      "leasehold_log_lines_dropped_total", "counter", "Lines that the log lost because nobody took them in time.",
      server.logLinesDropped(), &text)
    single(
      "leasehold_http_active_requests", "gauge", "Requests being answered, waiting ones included.",
      UInt64(server.activeExchanges), &text)
    single("leasehold_http_connections", "gauge", "Open connections.", UInt64(server.connections), &text)
    single(
      "leasehold_http_refused_connections_total", "counter",
      "Connections that were one too many, for their caller, for the listener, or for the process.",
      UInt64(server.refusedConnections), &text)
    single(
      "leasehold_http_repeated_answers_total", "counter",
      "Requests that libmicrohttpd answered a second time; each cost its connection.", UInt64(EarlyAnswers.repeated),
      &text)
    single(
      "leasehold_lock_watchers", "gauge", "Requests that wait for a lock to change.", UInt64(server.looks.count), &text)
    single("leasehold_event_subscribers", "gauge", "Open answers of /events.", UInt64(server.events.count), &text)
    single(
      "leasehold_event_subscribers_dropped_total", "counter", "Answers of /events cut off because nobody read them.",
      UInt64(server.events.dropped), &text)
    single(
      "leasehold_http_dropped_streams_total", "counter", "Open answers cut off because nobody read them.",
      UInt64(server.droppedStreams), &text)
  }

  private func durations(_ text: inout ResponseBuffer) {
    let name: StaticString = "leasehold_http_request_duration_seconds"
    family(
      name, "histogram",
      "How long requests took until their answer was made or their stream began; those that had to wait are left out.",
      &text)
    let labels = RequestCounts.bounds.map { "\(Double($0) / 1e9)" } + ["+Inf"]
    for (row, endpoint) in Endpoint.all.enumerated() {
      for (column, status) in ["2xx", "4xx", "5xx"].enumerated() {
        guard let durations = server.counts.durations(operation: row, column: column) else { continue }
        let pair = "operation=\"\(endpoint.operation)\",status=\"\(status)\""
        var count: UInt64 = 0
        for (bound, requests) in zip(labels, durations.counts) {
          count += requests
          text.append("\(name)_bucket{\(pair),le=\"\(bound)\"} \(count)\n")
        }
        text.append("\(name)_sum{\(pair)} \(Double(durations.sum) / 1e9)\n\(name)_count{\(pair)} \(count)\n")
      }
    }
  }

  private func process(_ text: inout ResponseBuffer) {
    var usage = rusage()
    getrusage(RUSAGE_SELF.rawValue, &usage)
    seconds("process_cpu_seconds_total", "counter", "CPU time of this process.", HostClock.processorTime(), &text)
    single(
      "process_resident_memory_max_bytes", "gauge", "The most memory that was resident.",
      UInt64(usage.ru_maxrss) * 1024,
      &text)
  }

  private func family(
    _ name: StaticString, _ type: StaticString, _ help: StaticString, _ text: inout ResponseBuffer
  ) {
    text.append("# HELP \(name) \(help)\n# TYPE \(name) \(type)\n")
  }

  private func single(
    _ name: StaticString, _ type: StaticString, _ help: StaticString, _ value: UInt64, _ text: inout ResponseBuffer
  ) {
    family(name, type, help, &text)
    text.append("\(name) \(value)\n")
  }

  private func histogram(
    _ name: StaticString, _ help: StaticString, _ histogram: SpanHistogram, _ text: inout ResponseBuffer
  ) {
    family(name, "histogram", help, &text)
    var count: UInt64 = 0
    for (place, spans) in histogram.counts.enumerated() {
      count += spans
      let bound = place < SpanHistogram.bounds.count ? "\(Double(SpanHistogram.bounds[place]) / 1e9)" : "+Inf"
      text.append("\(name)_bucket{le=\"\(bound)\"} \(count)\n")
    }
    text.append("\(name)_sum \(Double(histogram.sum) / 1e9)\n\(name)_count \(count)\n")
  }

  private func seconds(
    _ name: StaticString, _ type: StaticString, _ help: StaticString, _ nanoseconds: Int64,
    _ text: inout ResponseBuffer
  ) {
    family(name, type, help, &text)
    text.append("\(name) \(Double(nanoseconds) / 1e9)\n")
  }
}

extension EndReason {
  /// The label's value: words joined by underscores.
  fileprivate var label: String { name == "ttl" ? "expired" : String(name.map { $0 == "-" ? "_" : $0 }) }
}
