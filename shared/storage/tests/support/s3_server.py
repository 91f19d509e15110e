"""An S3 server on loopback, in memory, with one empty bucket: s3_server.py BUCKET

Says its address on standard output, and ends when its standard input does, so that it never outlives its test. It serves one
request at a time: in its threaded mode moto checks the condition of a PUT and then acts, and several writers can win.
"""

import logging
import os
import sys
import threading

from moto.core import DEFAULT_ACCOUNT_ID
from moto.s3.models import s3_backends
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server


def end_with(stream):
    stream.read()
    os._exit(0)


logging.getLogger("werkzeug").setLevel(logging.ERROR)
s3_backends[DEFAULT_ACCOUNT_ID]["aws"].create_bucket(sys.argv[1], "us-east-1")
server = make_server("127.0.0.1", 0, DomainDispatcherApplication(create_backend_app), threaded=False)
threading.Thread(target=end_with, args=(sys.stdin.buffer,), daemon=True).start()
print(f"http://127.0.0.1:{server.server_port}", flush=True)
server.serve_forever()
