"""A mail server that prints each mail that it takes as a line of JSON, after a first line with its port.

smtp.py [--certificate FILE --key FILE] [--implicit] [--user NAME --password WORD]

It refuses every address at refused.example for good, and one at later.example once.
"""

import argparse
import asyncio
import json
import ssl
from email import message_from_bytes, policy

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword


class Handler:
    def __init__(self):
        self.put_off = set()

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.endswith("@refused.example"):
            return "550 5.1.1 There is nobody here"
        if address.endswith("@later.example") and address not in self.put_off:
            self.put_off.add(address)
            return "451 4.7.1 Come again later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        mail = message_from_bytes(envelope.content, policy=policy.default)
        parts = {part.get_content_type(): part.get_content() for part in mail.walk() if not part.is_multipart()}
        print(json.dumps({
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "tls": session.ssl is not None,
            "user": session.auth_data.login.decode() if session.authenticated else None,
            "headers": {name.lower(): str(value) for name, value in mail.items()},
            "parts": parts,
        }), flush=True)
        return "250 OK"


async def main(arguments):
    context = None
    if arguments.certificate:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(arguments.certificate, arguments.key)

    def authenticate(server, session, envelope, mechanism, login):
        wanted = LoginPassword(arguments.user.encode(), arguments.password.encode())
        return AuthResult(success=login == wanted, handled=False, auth_data=login)

    handler = Handler()

    def protocol():
        starts_later = None if arguments.implicit else context
        server = SMTP(
            handler,
            hostname="localhost",
            tls_context=starts_later,
            require_starttls=starts_later is not None,
            authenticator=authenticate if arguments.user else None,
            auth_required=bool(arguments.user),
            auth_require_tls=starts_later is not None,
        )
        return server

    server = await asyncio.get_running_loop().create_server(
        protocol, "127.0.0.1", 0, ssl=context if arguments.implicit else None
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    for option in ("--certificate", "--key", "--user", "--password"):
        parser.add_argument(option)
    parser.add_argument("--implicit", action="store_true")
    asyncio.run(main(parser.parse_args()))
