"""What nginx, wrk and the gateway are run with by ``bench.gateway``."""

from __future__ import annotations

__all__ = ["BACKENDS", "GATEWAY", "LUA", "PROXY", "VARIED_LUA"]

_TOP = """\
worker_processes 1; daemon off; pid %s.pid; error_log %s.error;
events { worker_connections 1024; }
http {
  keepalive_requests 100000000;
  client_body_temp_path body; proxy_temp_path proxied; fastcgi_temp_path fast; uwsgi_temp_path uw; scgi_temp_path sc;
"""
_ANSWER = '{"outputs": {"answer": "' + "x" * 200 + '"}}'
BACKENDS = (
    _TOP % ("backends", "backends")
    + f"""\
  access_log off; default_type application/json;
  server {{ listen 127.0.0.1:9391; location / {{ return 200 '{_ANSWER}'; }} }}
  server {{ listen 127.0.0.1:9392; location / {{ return 200 '{_ANSWER}'; }} }}
}}
"""
)
PROXY = (
    _TOP % ("proxy", "proxy")
    + """\
  log_format exposure escape=json '{"at": "$time_iso8601", "request_id": "$request_id", "arm": "$arm", '
    '"status": $status, "latency_s": $request_time}';
  access_log exposures.log exposure buffer=64k flush=1s;
  split_clients "salt$http_x_user_id" $arm { 10% b; * a; }
  upstream a { server 127.0.0.1:9391; keepalive 64; keepalive_requests 100000000; }
  upstream b { server 127.0.0.1:9392; keepalive 64; keepalive_requests 100000000; }
  server {
    listen 127.0.0.1:9390;
    location / {
      proxy_pass http://$arm; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_set_header x-request-id $request_id; add_header x-arm $arm always;
    }
  }
}
"""
)
GATEWAY = """\
name: bench
listen: 127.0.0.1:9394
backends:
  a: {url: "http://127.0.0.1:9391", weight: 90}
  b: {url: "http://127.0.0.1:9392", weight: 10}
sticky: {header: x-user-id}
exposures: exposures
state: state
control: {listen: 127.0.0.1:9395, key: "${GATEWAY_KEY}"}
"""
LUA = """\
local body, count = '{"question": "' .. string.rep("x", 200) .. '"}', 0
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Accept"] = "application/json"
request = function()
  count = count + 1
  wrk.headers["X-User-Id"] = "user-" .. (count % 5000)
  return wrk.format("POST", "/score", nil, body)
end
"""
VARIED_LUA = """\
local count = 0
wrk.headers["Content-Type"] = "application/json"
request = function()
  count = count + 1
  wrk.headers["X-User-Id"] = "user-" .. (count * 7919 % 50000)
  wrk.headers["User-Agent"] = "client/" .. math.random(10000) .. " (" .. math.random(1000) .. ")"
  return wrk.format("POST", "/score", nil, '{"question": "' .. string.rep("x", math.random(20, 400)) .. '"}')
end
"""
"""Requests of which few are alike, so that little of what a gateway remembers helps."""
