-- One case of `bench/run`. Its argument names a file of requests, one a line: path, then optionally a tab and the value of
-- the Authorization header. They are formatted before the clock starts; each request is then one of them at random.

local requests = {}

function init(args)
  for line in io.lines(args[1]) do
    local path, authorization = line:match("^([^\t]+)\t(.+)$")
    requests[#requests + 1] = wrk.format("GET", path or line, authorization and { Authorization = authorization } or {})
  end
  math.randomseed(os.time())
end

function request()
  return requests[math.random(#requests)]
end

-- Latencies arrive in microseconds.
function done(summary, latency)
  local errors = summary.errors
  print(string.format(
    'RESULT {"requests": %d, "duration_us": %d, "p50_us": %d, "p99_us": %d, "refused": %d, "broken": %d}',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end
