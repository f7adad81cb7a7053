"""A function at CloudFront's edge, on origin request with "Include body": it signs for a Function URL with AWS_IAM.

It signs with its own role, whose policy allows `lambda:InvokeFunctionUrl` and `lambda:InvokeFunction` on that function. There
are no settings at the edge: the region, the Function URL's, stands in the code.
"""

from __future__ import annotations

from authkit.signatures import sign_origin

handler = sign_origin("eu-west-1")
