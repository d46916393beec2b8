"""Signs requests with botocore, Amazon's own: one a line of JSON in, its Authorization header out."""

import json
import sys

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

for line in sys.stdin:
    wanted = json.loads(line)
    request = AWSRequest(
        method=wanted["method"],
        url=wanted["url"],
        headers=wanted["headers"],
        data=bytes.fromhex(wanted["body"]),
    )
    # The moment of the request that is compared, where add_auth() would take this one.
    request.context["timestamp"] = wanted["timestamp"]
    auth = S3SigV4Auth(Credentials(*wanted["credentials"]), "s3", wanted["region"])
    auth._modify_request_before_signing(request)
    canonical = auth.canonical_request(request)
    signature = auth.signature(auth.string_to_sign(request, canonical), request)
    auth._inject_signature_to_request(request, signature)
    print(request.headers["Authorization"])
