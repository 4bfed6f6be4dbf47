# Asks one URL over and over, half of the visitors on connections that they keep, until the file
# visited.end is there. A line for every hundred answers; a request that is lost ends it.
import http.client
import pathlib
import ssl
import sys
import threading
import urllib.parse

url = urllib.parse.urlsplit(sys.argv[1])
end = pathlib.Path("visited.end")
lock = threading.Lock()
answered = 0
lost = []


def connect():
    context = ssl._create_unverified_context()
    return http.client.HTTPSConnection(url.hostname, url.port or 443, timeout=120, context=context)


def visit(keep):
    global answered
    connection = None
    while not end.exists() and not lost:
        try:
            connection = connection or connect()
            connection.request("GET", url.path, headers={} if keep else {"Connection": "close"})
            response = connection.getresponse()
            body = response.read()
            if response.status != 200 or b"PostgreSQL" not in body:
                raise RuntimeError(f"{response.status} {body[:200]}")
            if response.will_close:
                connection.close()
                connection = None
        except Exception as error:
            lost.append(f"{'kept' if keep else 'new'} connection: {error!r}")
            return
        with lock:
            answered += 1
            if answered % 100 == 0:
                print(answered, flush=True)


visitors = [threading.Thread(target=visit, args=(number % 2 == 0,)) for number in range(8)]
for visitor in visitors:
    visitor.start()
for visitor in visitors:
    visitor.join()
if lost:
    sys.exit("lost: " + "; ".join(lost))
print(f"{answered} requests meanwhile, none lost")
