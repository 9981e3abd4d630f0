# Read by gunicorn: a process of threads for each of WORKERS (default 1), and connections that are kept.
import os
import pathlib

bind = f"{os.environ.get('HOST', '127.0.0.1')}:{os.environ.get('PORT', '8080')}"
workers = int(os.environ.get("WORKERS", "1"))
worker_class = "gthread"
threads = 16
keepalive = 75
chdir = str(pathlib.Path(__file__).parent)
loglevel = "warning"
control_socket_disable = True
