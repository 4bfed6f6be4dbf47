# What to know afterwards.

output "url" {
  description = "Where it is served."
  value       = local.url
}

output "load_balancer" {
  description = "The load balancer's own name; a CNAME leads here when the domain's zone is elsewhere."
  value       = aws_lb.this.dns_name
}

output "database" {
  description = "The database: host and port, reachable from the application alone."
  value       = "${aws_db_instance.this.address}:${local.database_port}"
}

output "database_master_secret" {
  description = "Where RDS keeps the master's password."
  value       = aws_db_instance.this.master_user_secret[0].secret_arn
}

output "cache" {
  description = "Redis: host and port, reachable from the application alone."
  value       = "${aws_elasticache_replication_group.this.primary_endpoint_address}:${local.cache_port}"
}

output "asg_name" {
  description = "The Auto Scaling group."
  value       = aws_autoscaling_group.app.name
}

output "binary_sha256" {
  description = "The program that is rolled out."
  value       = local.binary_sha256
}

output "session_manager_command" {
  description = "Opens a shell on one of the instances (needs the Session Manager plugin of the AWS CLI)."
  value       = "aws ssm start-session --region ${data.aws_region.current.region} --target \"$(aws autoscaling describe-auto-scaling-groups --region ${data.aws_region.current.region} --auto-scaling-group-names ${aws_autoscaling_group.app.name} --query 'AutoScalingGroups[0].Instances[0].InstanceId' --output text)\""
}

output "refresh_command" {
  description = "Shows how far the last change has been rolled out."
  value       = "aws autoscaling describe-instance-refreshes --region ${data.aws_region.current.region} --auto-scaling-group-name ${aws_autoscaling_group.app.name} --max-records 1"
}

output "setup_log_command" {
  description = "Shows what the set-up of the database said."
  value       = "aws ec2 get-console-output --region ${data.aws_region.current.region} --latest --output text --instance-id ${aws_instance.setup.id}"
}
