"""The listener: GitLab's webhooks in, pipelines and comments out, with every mention kept in a store on disk.

It needs the optional extra `listen`: nothing outside this package imports it before `gitlab-mcp-server listen` runs.
"""
