"""Who is in the middle of signing in to a user pool, and what it is proven by."""

import json
import secrets
import time

from ministack.services import cognito

from user_pools import pool_of, refused

# How the parts of a request are named that sign somebody in, by the call.
SIGN_IN = {
    "_initiate_auth": "AuthParameters",
    "_admin_initiate_auth": "AuthParameters",
    "_respond_to_auth_challenge": "ChallengeResponses",
    "_admin_respond_to_auth_challenge": "ChallengeResponses",
}
# Challenges of which MiniStack takes the answer from anybody who knows a user's name.
SESSION_CHALLENGES = ("NEW_PASSWORD_REQUIRED", "MFA_SETUP", "SOFTWARE_TOKEN_MFA")


def install():
    sessions = Sessions()
    for call, parameters in SIGN_IN.items():
        setattr(cognito, call, sessions.kept(getattr(cognito, call), parameters))
    for call in ("_associate_software_token", "_verify_software_token"):
        setattr(cognito, call, sessions.renewed(getattr(cognito, call)))
    cognito._send_verification_email = drawn(cognito._send_verification_email)
    cognito._EMAIL_OTP_CODE = code()


class Sessions:
    """Who is in the middle of signing in. MiniStack draws the sessions, and does not look at them when they come back,
    so that whoever knew a name could set its password."""

    def __init__(self):
        # Session -> client, user, when it ends.
        self.open = {}

    def kept(self, original, parameters):
        def sign_in(data):
            pool, name = pool_of(data), (data.get(parameters) or {}).get("USERNAME")
            known = self.open.get(data.get("Session"))
            if pool and data.get("ChallengeName") in SESSION_CHALLENGES:
                if problem := self.problem(pool, data, known, name):
                    return problem
            answer = original(data)
            said = json.loads(answer[2]) if answer[0] == 200 else {}
            if answer[0] == 200:
                self.open.pop(data.get("Session"), None)
            if pool and said.get("Session"):
                name = name or said.get("ChallengeParameters", {}).get("USER_ID_FOR_SRP")
                minutes = pool["_clients"][data["ClientId"]].get("AuthSessionValidity") or 3
                user, _ = cognito._resolve_user(pool, name)
                now = time.time()
                self.open = {session: known for session, known in self.open.items() if known[2] > now}
                self.open[said["Session"]] = data["ClientId"], user and user["Username"], now + 60 * minutes
            return answer

        return sign_in

    def problem(self, pool, data, known, name):
        client, username, ends = known or ("", "", 0)
        user, _ = cognito._resolve_user(pool, name)
        if client != data.get("ClientId") or not user or user["Username"] != username:
            return refused("NotAuthorizedException", "Invalid session for the user.")
        if ends < time.time():
            return refused("NotAuthorizedException", "Invalid session for the user, session is expired.")
        if data["ChallengeName"] != "NEW_PASSWORD_REQUIRED":
            return None
        return cognito._validate_password(pool, data["ChallengeResponses"].get("NEW_PASSWORD") or "")

    def renewed(self, original):
        """Setting up a second factor goes on with a session of its own."""

        def step(data):
            known = self.open.get(data.get("Session"))
            answer = original(data)
            if known and answer[0] == 200:
                self.open[json.loads(answer[2])["Session"]] = known
            return answer

        return step


def code():
    return f"{secrets.randbelow(10**6):06}"


def drawn(original):
    """A code that was mailed is drawn, where MiniStack has one for everybody."""

    def send(pool, username, attributes, constant, *rest, **named):
        fresh, (user, _) = code(), cognito._resolve_user(pool, username)
        for kind in ("_confirmation_code", "_reset_code"):
            if user and user.get(kind) == constant:
                user[kind] = fresh
        return original(pool, username, attributes, fresh, *rest, **named)

    return send
