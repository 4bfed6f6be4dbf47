"""Turns a password on standard input into what PostgreSQL keeps of it (SCRAM-SHA-256, RFC 5803)."""

import base64
import hashlib
import hmac
import os
import sys

ITERATIONS = 4096


def mac(key: bytes, text: bytes) -> bytes:
    return hmac.new(key, text, hashlib.sha256).digest()


def text(data: bytes) -> str:
    return base64.b64encode(data).decode()


secret = sys.stdin.buffer.read().rstrip(b"\n")
if not secret:
    sys.exit("verifier.py: there is no password on standard input")
salt = os.urandom(16)
salted = hashlib.pbkdf2_hmac("sha256", secret, salt, ITERATIONS)
stored = hashlib.sha256(mac(salted, b"Client Key")).digest()
server = mac(salted, b"Server Key")
print(f"SCRAM-SHA-256${ITERATIONS}:{text(salt)}${text(stored)}:{text(server)}")
