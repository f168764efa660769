-- wrk [options] url -- [--post file] [--vary]

-- Posts the JSON in a file.
local function post(path)
  local file = assert(io.open(path, "rb"))
  wrk.method = "POST"
  wrk.body = file:read("*a")
  wrk.headers["Content-Type"] = "application/json"
  file:close()
end

-- Gives each request an ID of its own. The requests are formatted before the load, because that takes as long as sending them.
local function vary()
  local COUNT = 65536
  local requests, last = {}, 0
  for i = 1, COUNT do
    wrk.headers["X-Request-Id"] = string.format("%08x", i * 2654435761 % 4294967296)
    requests[i] = wrk.format()
  end
  request = function()
    last = last % COUNT + 1
    return requests[last]
  end
end

function init(args)
  if args[1] == "--post" then post(args[2]) end
  if args[1] == "--vary" then vary() end
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
