"""A user in a browser, who signs in for a stack on the embedded AWS. Called as: users.py CLIENT CALLBACK EMAIL PASSWORD [OWN].

With OWN, the password is the first one, and is changed to that. Prints JSON: the tokens."""

import json
import sys
import urllib.parse

from browser import CHALLENGE, ENDPOINT, VERIFIER, form, hidden, http


def sign_in(client, callback, email, password, own=None):
    fields = {
        "client_id": client,
        "response_type": "code",
        "redirect_uri": callback,
        "scope": "openid email",
        "state": "state",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
    }
    page = http("GET", f"{ENDPOINT}/oauth2/authorize?{urllib.parse.urlencode(fields)}")
    assert page[0] == 200, page
    answer = form("/login", {**hidden(page[2]), "username": email, "password": password})
    if own:
        assert answer[0] == 200 and "new_password" in answer[2], answer
        answer = form("/login", {**hidden(answer[2]), "new_password": own, "confirm_password": own})
    assert answer[0] == 302 and answer[1]["location"].startswith(f"{callback}?"), (answer[0], answer[2])
    query = urllib.parse.parse_qs(urllib.parse.urlparse(answer[1]["location"]).query)
    assert query["state"] == ["state"], query
    asked = {"grant_type": "authorization_code", "client_id": client, "code": query["code"][0]}
    answer = form("/oauth2/token", {**asked, "redirect_uri": callback, "code_verifier": VERIFIER})
    assert answer[0] == 200, answer
    return json.loads(answer[2])


if __name__ == "__main__":
    print(json.dumps(sign_in(*sys.argv[1:])))
