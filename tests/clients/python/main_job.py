"""The main job with the client that openapi-python-client generates: from sign-up to a lookup by key.

Arguments: the URL of the server, the folder of its mails.
"""

import re
import sys
from base64 import b64encode
from datetime import datetime
from pathlib import Path
from uuid import UUID

from bespoke_client import AuthenticatedClient, Client
from bespoke_client.api.accounts import confirm_sign_up, sign_in, sign_up, update_account
from bespoke_client.api.api_keys import create_api_key
from bespoke_client.api.sets import create_set, read_public_set, read_set, update_set
from bespoke_client.models import (
    AccountChanges,
    ApiKeyRequest,
    ChangedAccount,
    ConfirmSignUp,
    CreateApiKeyAuth,
    CreateSetAuth,
    Error,
    Failure,
    Measurements,
    NewApiKeyAnswer,
    NewSet,
    Outcome,
    PublicSet,
    ReadSetAuth,
    SetAnswer,
    SetChanges,
    SetChangesMeasiesType0,
    SignedIn,
    SignedUp,
    SignIn,
    SignUp,
    UpdateAccountAuth,
    UpdateSetAuth,
)

base_url, outbox = sys.argv[1:]
EMAIL, PASSWORD = "jane@example.com", "correct horse"


def ok(kind, answer):
    """Checks the type of a response and returns it."""
    assert isinstance(answer, kind), answer
    return answer


anybody = Client(base_url=base_url)

signup = ok(SignedUp, sign_up.sync(client=anybody, body=SignUp(email=EMAIL, language="en")))
assert (signup.result, signup.email) == (Outcome.CREATED, EMAIL)

# The link in the mail, as its reader follows it.
(mail,) = (file.read_text() for file in Path(outbox).iterdir())
link, check = re.search(r"\?id=(\S+)&check=(\S+)", mail).groups()
confirmation = ConfirmSignUp(consent=2, check=check)
confirmed = ok(SignedIn, confirm_sign_up.sync(UUID(link), client=anybody, body=confirmation))
new = AuthenticatedClient(base_url=base_url, token=confirmed.token)
changes = AccountChanges(password=PASSWORD)
changed = ok(ChangedAccount, update_account.sync(UpdateAccountAuth.JWT, client=new, body=changes))
assert changed.ignored == []

refused = sign_in.sync_detailed(client=anybody, body=SignIn(username=EMAIL, password="wrong"))
assert refused.status_code == 401
failure = ok(Error, refused.parsed)
assert (failure.result, failure.error) == (Failure.ERROR, "signInFailed")
session = ok(SignedIn, sign_in.sync(client=anybody, body=SignIn(username=EMAIL, password=PASSWORD)))
jane = AuthenticatedClient(base_url=base_url, token=session.token)

wanted = ApiKeyRequest(name="script", level=2, expires_in=60 * 60)
apikey = ok(NewApiKeyAnswer, create_api_key.sync(CreateApiKeyAuth.JWT, client=jane, body=wanted)).apikey
assert apikey.level == 2 and isinstance(apikey.expires_at, datetime)
body = NewSet(name="Jane", public=True, measies=Measurements(chest=925, neck=340.5))
stored = ok(SetAnswer, create_set.sync(CreateSetAuth.JWT, client=jane, body=body))
assert stored.ignored == [] and isinstance(stored.set_.uuid, UUID)

credentials = b64encode(f"{apikey.key}:{apikey.secret}".encode()).decode()
by_key = AuthenticatedClient(base_url=base_url, token=credentials, prefix="Basic")
found = ok(SetAnswer, read_set.sync(stored.set_.uuid, ReadSetAuth.KEY, client=by_key))
assert found.set_ == stored.set_
assert isinstance(found.set_.measies, Measurements)
assert (found.set_.measies.chest, found.set_.measies.neck) == (925, 340.5)

# A key of level 2 can only read.
change = SetChanges(measies=SetChangesMeasiesType0.from_dict({"chest": 930, "neck": None}))
write = ok(Error, update_set.sync(stored.set_.uuid, UpdateSetAuth.KEY, client=by_key, body=change))
assert write.error == "insufficientAccessLevel"

document = ok(PublicSet, read_public_set.sync(stored.set_.id, client=anybody))
assert document.measurements.to_dict() == {"chest": 925, "neck": 340.5}
assert (document.name, document.uuid) == ("Jane", stored.set_.uuid)

# A missing record is a 404 without a body.
assert read_public_set.sync_detailed(999, client=anybody).status_code == 404

print("done")
