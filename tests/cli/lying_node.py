# SPDX-License-Identifier: Apache-2.0
"""Stands between a client and a node and changes one thing: lying_node.py SOCKET PORT_FILE HEIGHT WHAT, where WHAT is nothing; tx, header or
drop, of the block of that height; or root, of the status."""
import http.client
import http.server
import json
import os
import socket
import sys

SOCKET, PORT_FILE, HEIGHT, WHAT = sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4]


class Node(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(SOCKET)


def flipped(text, at):
    return text[:at] + ("0" if text[at] != "0" else "1") + text[at + 1:]


def change(asked, answer):
    result = answer.get("result")
    if asked["method"] == "chain.block" and asked["params"]["height"] == HEIGHT:
        if WHAT == "header":
            result["header"] = flipped(result["header"], len(result["header"]) // 2)
        if WHAT == "tx":
            result["txs"][0]["bytes"] = flipped(result["txs"][0]["bytes"], len(result["txs"][0]["bytes"]) // 2)
        if WHAT == "drop":
            result["txs"].pop()
    if asked["method"] == "chain.status" and WHAT == "root":
        result["state_root"] = flipped(result["state_root"], 0)
    return answer


class Between(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        node = Node("localhost")
        node.request("POST", self.path, body, {"Content-Type": "application/json"})
        answer = node.getresponse().read()
        out = json.dumps(change(json.loads(body), json.loads(answer))).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(out)))
        self.end_headers()
        self.wfile.write(out)

    def log_message(self, *a):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Between)
with open(PORT_FILE + ".new", "w", encoding="ascii") as file:
    file.write(str(server.server_address[1]))
os.replace(PORT_FILE + ".new", PORT_FILE)
server.serve_forever()
