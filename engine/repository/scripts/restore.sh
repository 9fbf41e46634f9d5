# Put after checkout.sh, which has brought the work tree to a result: HEAD and branch `work` go to HEAD_SHA, so that
# what the agent had not committed is not committed now. Arguments 4 and 5: HEAD_SHA, BASE.
at update-ref refs/heads/work "$4" && at read-tree "$4" && at update-ref refs/fumehood/base "$5"
