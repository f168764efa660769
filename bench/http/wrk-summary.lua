-- Posts the JSON in a file if one is given: wrk [options] url -- file.
function init(args)
  if not args[1] then return end
  local file = assert(io.open(args[1], "rb"))
  wrk.method = "POST"
  wrk.body = file:read("*a")
  wrk.headers["Content-Type"] = "application/json"
  file:close()
end

-- Prints wrk's counts as one line of JSON, with latencies in microseconds, which wrk's own output rounds.
function done(summary, latency)
  local errors = summary.errors
  print(string.format(
    '{"requests":%.0f,"bytes":%.0f,"durationUs":%.0f,"p50Us":%.0f,"p99Us":%.0f,' ..
    '"errors":{"connect":%d,"read":%d,"write":%d,"timeout":%d,"status":%d}}',
    summary.requests, summary.bytes, summary.duration, latency:percentile(50), latency:percentile(99),
    errors.connect, errors.read, errors.write, errors.timeout, errors.status
  ))
end
