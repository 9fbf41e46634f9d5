"""Attacks on the gateway as raw bytes, in network namespaces with servers and names of their own (SPEC N1-N4).

`cases` says what is sent and who may be reached, `places` who is there, `servers` are what is reached. `inside` runs the
real gateway between them and judges each case by what the servers saw and by what was answered; `lab` starts it.
`python -m tests.faults.proxy_lab` prints it all.
"""
