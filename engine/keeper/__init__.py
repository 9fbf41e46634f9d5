"""What goes on between tasks while somebody is at the bench: fresh snapshots, containers that stand by (SPEC C5)."""
