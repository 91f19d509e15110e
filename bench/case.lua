-- One case of `bench/run`. Its argument names a file of requests, one a line: path, then optionally, after a tab each, the values of
-- the headers Authorization and If-None-Match. They are formatted before the clock starts; each request is then one of them at random.

local requests = {}

function init(args)
  for line in io.lines(args[1]) do
    local fields = {}
    for field in line:gmatch("[^\t]+") do fields[#fields + 1] = field end
    local headers = { Authorization = fields[2], ["If-None-Match"] = fields[3] }
    requests[#requests + 1] = wrk.format("GET", fields[1], headers)
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
