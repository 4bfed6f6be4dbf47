# What holds in both profiles and on both architectures: who may connect, TLS, tokens for instance
# metadata, encryption, least rights, and no secret where others can read.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  binary_path = "tests/programs/arm64"
}

run "demo_arm64" {
  assert {
    condition     = output.url == "http://unslow-1.eu-central-1.elb.amazonaws.com"
    error_message = "Without a domain the demo is served by the load balancer's own name."
  }
  assert {
    condition     = aws_launch_template.app.instance_type == "t4g.small" && endswith(data.aws_ssm_parameter.ami[0].name, "-arm64")
    error_message = "arm64 needs an instance type and an image of that architecture."
  }

  # Who may connect
  assert {
    condition     = alltrue([for rule in aws_vpc_security_group_ingress_rule.public : rule.security_group_id == aws_security_group.this["alb"].id])
    error_message = "Addresses may stand in the load balancer's inbound rules alone."
  }
  assert {
    condition     = alltrue([for rule in aws_vpc_security_group_ingress_rule.within : rule.cidr_ipv4 == null && rule.cidr_ipv6 == null && rule.referenced_security_group_id != null])
    error_message = "Every inner rule names a group, not addresses."
  }
  assert {
    condition     = toset([for connection in local.connections : "${connection.from} ${connection.to} ${connection.port}"]) == toset(["alb app 8000", "app db 5432", "app cache 6379", "setup db 5432"])
    error_message = "These connections are allowed and no others."
  }
  assert {
    condition     = keys(aws_vpc_security_group_egress_rule.aws) == ["app", "setup"]
    error_message = "Database and cache have no way out; the load balancer only to the application."
  }
  assert {
    condition     = length(aws_default_security_group.this.ingress) == 0 && length(aws_default_security_group.this.egress) == 0
    error_message = "The default security group admits nothing."
  }
  assert {
    condition     = alltrue([for subnet in concat(values(aws_subnet.public), values(aws_subnet.app), values(aws_subnet.data)) : !subnet.map_public_ip_on_launch])
    error_message = "No subnet hands out public addresses by itself."
  }

  # Instances
  assert {
    condition     = aws_launch_template.app.metadata_options[0].http_tokens == "required" && aws_instance.setup.metadata_options[0].http_tokens == "required"
    error_message = "Instance metadata is given for session tokens only (IMDSv2)."
  }
  assert {
    condition     = aws_launch_template.app.metadata_options[0].http_put_response_hop_limit == 1
    error_message = "Session tokens do not leave the instance."
  }
  assert {
    condition     = tostring(aws_launch_template.app.block_device_mappings[0].ebs[0].encrypted) == "true" && aws_launch_template.app.block_device_mappings[0].ebs[0].volume_type == "gp3" && aws_instance.setup.root_block_device[0].encrypted
    error_message = "Volumes are gp3 and encrypted."
  }
  assert {
    condition     = aws_launch_template.app.key_name == null || aws_launch_template.app.key_name == ""
    error_message = "There is no key pair: a shell comes by Session Manager."
  }
  assert {
    condition     = toset(aws_launch_template.app.tag_specifications[*].resource_type) == toset(["instance", "volume", "network-interface"]) && alltrue([for tag in aws_autoscaling_group.app.tag : tag.propagate_at_launch])
    error_message = "Instances and their volumes carry the tags, which default_tags do not reach."
  }
  assert {
    condition     = aws_autoscaling_group.app.launch_template[0].version == "7"
    error_message = "The group names the template's version by number, or there is nothing to go back to."
  }
  assert {
    condition = (
      aws_autoscaling_group.app.instance_refresh[0].strategy == "Rolling" &&
      aws_autoscaling_group.app.instance_refresh[0].preferences[0].min_healthy_percentage == 100 &&
      aws_autoscaling_group.app.instance_refresh[0].preferences[0].max_healthy_percentage == 200 &&
      aws_autoscaling_group.app.instance_refresh[0].preferences[0].auto_rollback
    )
    error_message = "A rollout starts new instances before it ends old ones, and goes back when they do not serve."
  }
  assert {
    condition     = aws_autoscaling_group.app.health_check_type == "ELB" && aws_lb_target_group.app.health_check[0].path == "/healthz"
    error_message = "An instance is judged by /healthz, which asks neither database nor Redis."
  }
  assert {
    condition = (
      aws_lb_target_group.app.health_check[0].interval == 10 && aws_lb_target_group.app.health_check[0].healthy_threshold == 2 &&
      aws_lb_target_group.app.health_check[0].unhealthy_threshold == 3 && tostring(aws_lb_target_group.app.deregistration_delay) == "30" &&
      aws_lb_target_group.app.load_balancing_algorithm_type == "least_outstanding_requests"
    )
    error_message = "Health every 10 s, 2 up, 3 down; 30 s to finish; the least busy one is asked."
  }
  assert {
    condition     = aws_autoscaling_policy.cpu.policy_type == "TargetTrackingScaling" && aws_autoscaling_policy.cpu.target_tracking_configuration[0].predefined_metric_specification[0].predefined_metric_type == "ASGAverageCPUUtilization"
    error_message = "The number of instances follows the processors' load."
  }

  # Secrets
  assert {
    condition     = !issensitive(local.user_data) && !issensitive(local.setup_user_data)
    error_message = "Nothing secret may flow into user data."
  }
  assert {
    condition     = !strcontains(local.user_data, nonsensitive(random_password.cache.result)) && !strcontains(local.setup_user_data, nonsensitive(random_password.cache.result))
    error_message = "The Redis token may not stand in user data."
  }
  assert {
    condition     = length(regexall("(?im)^ *(password|token|auth_token) *=|AKIA|rediss?://[^/ ]*@|postgres://", "${local.user_data}${local.setup_user_data}")) == 0
    error_message = "User data names where secrets are, and holds none."
  }
  assert {
    condition     = alltrue([for version in aws_secretsmanager_secret_version.database : version.secret_string == null || version.secret_string == ""]) && try(aws_db_instance.this.password, null) == null && aws_db_instance.this.manage_master_user_password
    error_message = "No database password may be in the state."
  }
  assert {
    condition     = !strcontains(aws_iam_role_policy.app.policy, "rds!db-master") && strcontains(aws_iam_role_policy.setup.policy, "rds!db-master") && !strcontains(local.user_data, "rds!db-master")
    error_message = "Only the set-up may read the master's secret."
  }
  assert {
    condition     = length(regexall("\"Action\":\\[?\"[a-z0-9]*:?[*]", "${aws_iam_role_policy.app.policy}${aws_iam_role_policy.setup.policy}")) == 0 && length(regexall("\"Resource\":\\[?\"[*]\"", "${aws_iam_role_policy.app.policy}${aws_iam_role_policy.setup.policy}")) == 0
    error_message = "Rights are named one by one."
  }
  assert {
    condition     = strcontains(local.user_data, "user = unslow_a") && strcontains(local.user_data, "DATABASE_USER='unslow_a'") && strcontains(local.user_data, "password_file = /etc/unslow/database-password")
    error_message = "The application logs in as its own user, with a password from a file."
  }

  # What the application is told
  assert {
    condition     = strcontains(local.user_data, "keep_alive = 75s") && aws_lb.this.idle_timeout < 75
    error_message = "Connections outlast the load balancer's idle timeout."
  }
  assert {
    condition     = strcontains(local.user_data, "forwarded_allow_ips = 10.0.0.0/24, 10.0.1.0/24\n")
    error_message = "Forwarded addresses are believed from the public subnets."
  }
  assert {
    condition     = strcontains(local.user_data, "sslmode = verify-full") && strcontains(local.user_data, "url = rediss://master.unslow") && strcontains(local.user_data, "statement_timeout = 30s") && strcontains(local.user_data, "namespace = unslow")
    error_message = "Both servers are spoken to by TLS, the database's name is checked, statements end."
  }
  assert {
    condition     = strcontains(local.user_data, "BINARY_SHA256='${filesha256("tests/programs/arm64")}'") && strcontains(local.user_data, "BINARY_VERSION='version-1'")
    error_message = "An instance is told which program it gets, by version and SHA-256."
  }
  assert {
    condition     = length(local.user_data) < 16384 && length(local.setup_user_data) < 16384
    error_message = "EC2 takes 16 KiB of user data."
  }

  # Database, cache, files
  assert {
    condition     = aws_db_instance.this.engine == "postgres" && aws_db_instance.this.engine_version == "17" && aws_db_instance.this.storage_type == "gp3" && aws_db_instance.this.storage_encrypted && !aws_db_instance.this.publicly_accessible
    error_message = "PostgreSQL 17 on encrypted gp3, not public."
  }
  assert {
    condition     = { for parameter in aws_db_parameter_group.this.parameter : parameter.name => parameter.value } == { "rds.force_ssl" = "1", "log_min_duration_statement" = "1000" }
    error_message = "The database takes TLS only and logs what is slow."
  }
  assert {
    condition     = aws_elasticache_replication_group.this.engine == "valkey" && aws_elasticache_replication_group.this.engine_version == "8.0" && aws_elasticache_replication_group.this.transit_encryption_enabled && tostring(aws_elasticache_replication_group.this.at_rest_encryption_enabled) == "true" && aws_elasticache_replication_group.this.auth_token != null
    error_message = "Valkey 8 with TLS, a token, and encryption at rest."
  }
  assert {
    condition     = { for parameter in aws_elasticache_parameter_group.this.parameter : parameter.name => parameter.value } == { "maxmemory-policy" = "allkeys-lru" } && aws_elasticache_parameter_group.this.family == "valkey8"
    error_message = "A full cache forgets what is used least."
  }
  assert {
    condition     = aws_s3_bucket_public_access_block.files.block_public_acls && aws_s3_bucket_public_access_block.files.block_public_policy && aws_s3_bucket_public_access_block.files.ignore_public_acls && aws_s3_bucket_public_access_block.files.restrict_public_buckets && aws_s3_bucket_versioning.files.versioning_configuration[0].status == "Enabled"
    error_message = "The program's bucket is private and keeps earlier versions."
  }
  assert {
    condition     = aws_lb.this.drop_invalid_header_fields && aws_lb.this.desync_mitigation_mode == "strictest"
    error_message = "The load balancer drops what is no proper request."
  }
}

run "demo_x86_64" {
  variables {
    architecture = "x86_64"
    binary_path  = "tests/programs/x86_64"
  }
  assert {
    condition     = aws_launch_template.app.instance_type == "t3.small" && endswith(data.aws_ssm_parameter.ami[0].name, "-x86_64")
    error_message = "x86_64 needs an instance type and an image of that architecture."
  }
  assert {
    condition     = aws_launch_template.app.metadata_options[0].http_tokens == "required"
    error_message = "Instance metadata is given for session tokens only (IMDSv2)."
  }
  assert {
    condition     = output.binary_sha256 == filesha256("tests/programs/x86_64")
    error_message = "The output names the program that is rolled out."
  }
}

run "production_x86_64" {
  variables {
    profile         = "production"
    architecture    = "x86_64"
    binary_path     = "tests/programs/x86_64"
    domain          = "slow.example.com"
    route53_zone_id = "Z0123456789ABCDEFGHIJ"
  }
  assert {
    condition     = aws_launch_template.app.instance_type == "m7i.large" && endswith(data.aws_ssm_parameter.ami[0].name, "-x86_64")
    error_message = "x86_64 needs an instance type and an image of that architecture."
  }
  assert {
    condition     = aws_launch_template.app.metadata_options[0].http_tokens == "required" && aws_instance.setup.metadata_options[0].http_tokens == "required"
    error_message = "Instance metadata is given for session tokens only (IMDSv2)."
  }
  assert {
    condition     = !issensitive(local.user_data) && !issensitive(local.setup_user_data)
    error_message = "Nothing secret may flow into user data."
  }
}

run "new_passwords" {
  variables {
    password_version = 4
  }
  assert {
    condition     = aws_secretsmanager_secret_version.database["unslow_a"].secret_string_wo_version == 3 && aws_secretsmanager_secret_version.database["unslow_b"].secret_string_wo_version == 4
    error_message = "One user gets a new password, the other keeps the one before."
  }
  assert {
    condition     = strcontains(local.user_data, "user = unslow_b") && strcontains(local.setup_user_data, "DATABASE_USER='unslow_b'")
    error_message = "New instances come with the user whose password is new."
  }
}

run "own_queries" {
  variables {
    queries_dir = "tests/queries"
    stats_allow = ["203.0.113.7/32"]
  }
  assert {
    condition     = aws_s3_object.queries.content == "# 1 query files\ntables.sql ${filebase64("tests/queries/tables.sql")}\n"
    error_message = "Query files travel in one object, by name."
  }
  assert {
    condition     = strcontains(local.user_data, "[stats]\n      allow = 203.0.113.7/32") && strcontains(local.user_data, "QUERIES_SHA256='${sha256(aws_s3_object.queries.content)}'")
    error_message = "Another query, or who may see the numbers, is another template."
  }
  assert {
    condition     = !strcontains(local.setup_user_data, "QUERIES_")
    error_message = "A query is no reason to set up the database again."
  }
}
