# Redis, as Valkey: what all instances share. It may lose everything at any time, so that there is
# nothing to back up, and what is used least makes room for what is new.

resource "aws_elasticache_subnet_group" "this" {
  name       = var.name
  subnet_ids = [for subnet in aws_subnet.data : subnet.id]
}

resource "aws_elasticache_parameter_group" "this" {
  name   = "${var.name}-valkey8"
  family = "valkey8"

  parameter {
    name  = "maxmemory-policy"
    value = "allkeys-lru"
  }
}

resource "aws_elasticache_replication_group" "this" {
  # checkov:skip=CKV_AWS_191:Encrypted with the key that ElastiCache has of its own
  # checkov:skip=CKV2_AWS_50:Two nodes, which take over from each other, in production; the demo goes on without Redis
  replication_group_id = var.name
  description          = "What ${var.name} has cached"
  engine               = "valkey"
  engine_version       = "8.0"
  node_type            = coalesce(var.cache_node_type, local.profile.cache_node_type)
  port                 = local.cache_port
  parameter_group_name = aws_elasticache_parameter_group.this.name

  num_cache_clusters         = local.profile.cache_nodes
  automatic_failover_enabled = local.profile.cache_nodes > 1
  multi_az_enabled           = local.profile.cache_nodes > 1

  # Without a transit_encryption_mode nothing but TLS is spoken.
  transit_encryption_enabled = true
  at_rest_encryption_enabled = true
  auth_token                 = random_password.cache.result
  # The token before is good until the next one after: instances change over while both are.
  auth_token_update_strategy = "ROTATE"

  subnet_group_name          = aws_elasticache_subnet_group.this.name
  security_group_ids         = [aws_security_group.this["cache"].id]
  auto_minor_version_upgrade = true
  apply_immediately          = true
}
