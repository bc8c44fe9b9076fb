"""A receiver of CloudEvents: prints each event, as CloudEvents' own SDK reads it, as a line of JSON, after a first line with its
port. What the SDK refuses is answered with 400."""

import http.server
import json

from cloudevents.core.bindings.http import HTTPMessage, from_http
from cloudevents.core.formats.json import JSONFormat


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        try:
            event = from_http(HTTPMessage(headers=dict(self.headers), body=body), JSONFormat())
        except Exception as problem:  # whatever the SDK refuses
            self.send_response(400)
            self.end_headers()
            self.wfile.write(repr(problem).encode())
            return
        attributes = {name: str(value) for name, value in event.get_attributes().items()}
        print(json.dumps({"attributes": attributes, "data": event.get_data()}), flush=True)
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(server.server_port, flush=True)
    server.serve_forever()
