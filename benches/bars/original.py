"""The page that unslow began with, in its own terms: Flask, one value in Redis for ten seconds.

It asks no database: only hits are measured, so what would have come from one is put into Redis.
"""

import os
import time

import redis
from flask import Flask, g, render_template_string

KEY = "version"
VERSION = "PostgreSQL 17.0, as the database would have said after five seconds"
PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Slow page</title></head>
<body>
{% if host %}<section><h2>Database Host</h2><p>{{ host }}</p></section>{% endif %}
{% if version %}<section><h2>Database Version</h2><p>{{ version }}</p></section>{% endif %}
<section><h2>Elapsed Time</h2><p>{{ elapsed }}s</p></section>
</body>
</html>
"""

app = Flask(__name__)
cache = redis.Redis.from_url(os.environ["REDIS_URL"])


@app.before_request
def begin():
    g.start = time.time()


@app.route("/")
def page():
    version = cache.get(KEY)
    if version is None:
        version = VERSION.encode()
        cache.setex(KEY, 10, version)
    elapsed = "%.5f" % (time.time() - g.start)
    return render_template_string(
        PAGE, host="localhost", version=version.decode(), elapsed=elapsed
    )
